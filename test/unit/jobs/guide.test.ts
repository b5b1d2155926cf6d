/** The guide for people is read by a machine too: its examples and its bounds have to be right. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { scriptEndings } from '../../../node-runtime/core/jobs/plan.ts';
import { exampleSandbox } from '../../../node-runtime/examples.ts';
import { checkJobText } from '../../../node-runtime/requests/job-text.ts';

const guide = readFileSync(new URL('../../../docs/operating/writing-jobs.md', import.meta.url), 'utf8');
const examples = [...guide.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1]!);

describe('the guide', () => {
  test('has examples that are right', () => {
    expect(examples.length).toBeGreaterThan(3);
    for (const text of examples)
      expect(checkJobText('x.job.yaml', text).check, text).toMatchObject({ ok: true, problems: [] });
  });

  test('names the bounds that hold', () => {
    expect(limits).toMatchObject({
      jobFileBytesMax: 256 * 1024,
      tasksMax: 500,
      parametersMax: 100,
      scriptCharsMax: 96 * 1024,
      parameterCharsMax: 32 * 1024,
      attemptsMax: 20,
      timeoutMsMax: 30 * 24 * 3_600_000,
    });
    for (const ending of scriptEndings) expect(guide).toContain(`.${ending}`);
  });
});

test('the example sandbox is right, but for the file that shows a mistake', () => {
  const checked = exampleSandbox.files.map(({ path, text }) => [path, checkJobText(path, text).check.ok]);
  expect(checked.filter(([, ok]) => !ok)).toEqual([['broken.job.yaml', false]]);
});
