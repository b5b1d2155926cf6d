/**
 * The tray's picture, drawn instead of loaded so that it is sharp at every
 * size: a compass ring with its needle, in the colour of the node's mood.
 *
 * Gives 32-bit pixels as `nativeImage.createFromBitmap` takes them: BGRA with
 * premultiplied alpha, row by row. Pure.
 */
import type { TrayState } from './tray-state.ts';

type Colour = readonly [red: number, green: number, blue: number];
const colours: Record<TrayState['mood'], Colour> = {
  well: [52, 199, 140],
  waiting: [240, 180, 60],
  stopped: [235, 87, 87],
};
const samples = 4;

/** Is this point, in a square from -1 to 1, part of the mark? */
function isInk(x: number, y: number): boolean {
  const radius = Math.hypot(x, y);
  if (radius > 0.78 && radius < 0.96) return true;
  return Math.abs(x) / 0.26 + Math.abs(y) / 0.66 < 1;
}

export function trayMark(mood: TrayState['mood'], sizePx: number): Buffer {
  const [red, green, blue] = colours[mood];
  const pixels = Buffer.alloc(sizePx * sizePx * 4);
  const step = 2 / (sizePx * samples);
  for (let at = 0; at < sizePx * sizePx; at++) {
    let inked = 0;
    for (let s = 0; s < samples * samples; s++) {
      const x = -1 + ((at % sizePx) * samples + (s % samples) + 0.5) * step;
      const y = -1 + (Math.floor(at / sizePx) * samples + Math.floor(s / samples) + 0.5) * step;
      if (isInk(x, y)) inked++;
    }
    const cover = inked / (samples * samples);
    pixels.set(
      [Math.round(blue * cover), Math.round(green * cover), Math.round(red * cover), Math.round(255 * cover)],
      at * 4,
    );
  }
  return pixels;
}
