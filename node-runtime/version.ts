/** The version of this program, from package.json; the bundle carries it inside. */
import manifest from '../package.json' with { type: 'json' };

export const programVersion: string = manifest.version;
