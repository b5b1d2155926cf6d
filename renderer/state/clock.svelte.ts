/** The time now, told once a second to whoever shows something that runs. */
class Clock {
  now = $state(Date.now());
  constructor() {
    setInterval(() => {
      if (document.visibilityState === 'visible') this.now = Date.now();
    }, 1_000);
  }
}
export const clock = new Clock();
