/**
 * How large the window opens and how small it may become: the size the screens
 * are drawn for, or less where the display has less. Pure.
 */
import { desktopLimits as limits } from '../limits.ts';

type Size = { width: number; height: number };

export function windowSize(workArea: Size): { width: number; height: number; minWidth: number; minHeight: number } {
  return {
    width: Math.min(limits.windowWidth, workArea.width),
    height: Math.min(limits.windowHeight, workArea.height),
    minWidth: Math.min(limits.windowWidthMin, workArea.width),
    minHeight: Math.min(limits.windowHeightMin, workArea.height),
  };
}
