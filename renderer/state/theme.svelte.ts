/**
 * Dark, light, or as the system has it; remembered on this computer. The
 * desktop program has the last word about it and is told of each choice.
 */
import type { ThemeChoice } from '../desktop.ts';

const key = 'binnacle.theme';
const systemLight = matchMedia('(prefers-color-scheme: light)');

function stored(): ThemeChoice {
  try {
    const value = localStorage.getItem(key);
    return value === 'dark' || value === 'light' ? value : 'system';
  } catch {
    return 'system';
  }
}

class ThemeState {
  choice = $state<ThemeChoice>(stored());

  constructor() {
    systemLight.addEventListener('change', () => this.apply());
  }
  /** Told of a person's choice; set by state/desktop. */
  onChosen: (choice: ThemeChoice) => void = () => undefined;

  choose(choice: ThemeChoice): void {
    this.take(choice);
    this.onChosen(choice);
  }
  /** The choice as it is kept elsewhere. */
  take(choice: ThemeChoice): void {
    this.choice = choice;
    try {
      localStorage.setItem(key, choice);
    } catch {
      // Without storage the choice holds until the page is closed.
    }
    this.apply();
  }
  private apply(): void {
    const light = this.choice === 'light' || (this.choice === 'system' && systemLight.matches);
    document.documentElement.dataset.theme = light ? 'light' : 'dark';
  }
}

export const theme = new ThemeState();
