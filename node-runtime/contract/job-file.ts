/**
 * The language of job files: `*.job.yaml` and `*.job.json`, as written.
 *
 * Shapes only: what stands where, which names and lengths are allowed. What
 * one part says about another (a need of a task that is not there, a circle, a
 * default that does not fit) is checked in core/jobs/check.ts. Unknown keys
 * are mistakes, never ignored: a misspelt `needs` would run too early.
 *
 * The JSON Schema that editors complete from is made from this, so that the
 * two can't differ.
 */
import { z } from 'zod';
import { limits } from './limits.ts';

export const taskIdPattern = /^[a-z0-9][a-z0-9_-]*$/;
export const parameterNamePattern = /^[a-zA-Z][a-zA-Z0-9_]*$/;
export const environmentNamePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** 45s, 10m, 1h30m, 2d: days, hours, minutes, seconds in that order. */
export const durationPattern = /^(?=\d)(\d{1,6}d)?(\d{1,6}h)?(\d{1,6}m)?(\d{1,9}s)?$/;

const Name = z.string().min(1).max(limits.nameBytesMax);
const Sentence = z.string().max(limits.parameterCharsMax);
export const taskIdCharsMax = 64;
const TaskId = z
  .string()
  .max(taskIdCharsMax)
  .regex(taskIdPattern, 'must be made of small letters, digits, - and _, and begin with a letter or digit');
const ParameterName = z
  .string()
  .max(64)
  .regex(parameterNamePattern, 'must be made of letters, digits and _, and begin with a letter');
const EnvironmentName = z
  .string()
  .max(limits.nameBytesMax)
  .regex(environmentNamePattern, 'must be made of letters, digits and _, and not begin with a digit');

const durationWanted = 'must be a time like 45s, 10m or 1h30m, or a number of seconds';
const Duration = z
  .union([z.string().regex(durationPattern, durationWanted), z.number().min(0)], { error: durationWanted })
  .meta({ description: 'A time: 45s, 10m, 1h30m, 2d, or a number of seconds', examples: ['45s', '10m', '1h30m'] });

const Environment = z
  .record(
    EnvironmentName,
    z.union([z.string().max(limits.environmentCharsMax), z.number(), z.boolean()], {
      error: 'must be a text, a number, or true or false',
    }),
  )
  .meta({ description: `Environment variables. Values may hold \${{ … }}.` });

export const secretNamePattern = environmentNamePattern;
const SecretName = z
  .string()
  .max(limits.secretNameCharsMax)
  .regex(secretNamePattern, 'must be made of letters, digits and _, and not begin with a digit');
const Secrets = z
  .union([z.array(SecretName).max(limits.secretsPerTaskMax), z.record(EnvironmentName, SecretName)], {
    error: 'must be a list of names of secrets, or a map: environment variable to name',
  })
  .meta({
    description:
      'Secrets of the cluster that are given as environment variables: a list of names, or a map of variable to name',
    examples: [['DB_PASSWORD'], { PGPASSWORD: 'DB_PASSWORD' }],
  });

const Plain = z.union([z.string().max(limits.parameterCharsMax), z.number(), z.boolean()], {
  error: 'must be a text, a number, or true or false',
});

export const parameterTypes = ['string', 'text', 'integer', 'number', 'boolean', 'date', 'choice'] as const;

const ParameterDefinition = z
  .strictObject({
    type: z
      .enum(parameterTypes)
      .meta({ description: 'What may be given. text is a string of several lines; date is YYYY-MM-DD' }),
    label: Name.optional().meta({ description: 'How the launch form calls it' }),
    description: Sentence.optional().meta({ description: 'What it is for' }),
    default: Plain.optional().meta({
      description: 'Taken when nothing is given. A date may be today, yesterday or tomorrow',
    }),
    required: z.boolean().optional().meta({ description: 'Must be given. Default: true if there is no default' }),
    options: z
      .array(
        z.union([z.string().max(limits.parameterCharsMax), z.number(), z.boolean()], {
          error: 'must be a text, a number, or true or false',
        }),
      )
      .min(1)
      .max(limits.tasksMax)
      .optional()
      .meta({ description: 'What may be chosen (type choice)' }),
    minimum: z.number().optional().meta({ description: 'Smallest number allowed' }),
    maximum: z.number().optional().meta({ description: 'Largest number allowed' }),
    pattern: z
      .string()
      .max(limits.expressionCharsMax)
      .optional()
      .meta({ description: 'Regular expression that the whole text has to match' }),
  })
  .meta({ description: 'A parameter in full' });

const Parameter = z
  .union([Plain, z.null(), ParameterDefinition], {
    error: 'must be a default value, or a map with a type',
  })
  .meta({ description: 'A default value (its type is the type of the parameter), nothing, or a definition in full' });

const Run = z
  .union(
    [
      z.string().min(1).max(limits.scriptCharsMax),
      z
        .array(
          z.union([z.string().max(limits.parameterCharsMax), z.number(), z.boolean()], {
            error: 'must be a text, a number, or true or false',
          }),
        )
        .min(1)
        .max(limits.tasksMax),
    ],
    { error: 'must be text for the shell, or a list: the program and its arguments' },
  )
  .meta({
    description: `Text for /bin/sh -e, or a list: the program and its arguments. \${{ … }} is replaced safely in both`,
  });

const Retry = z
  .union(
    [
      z
        .number()
        .int()
        .min(0)
        .max(limits.attemptsMax - 1),
      z.strictObject({
        attempts: z
          .number()
          .int()
          .min(1)
          .max(limits.attemptsMax)
          .meta({ description: 'How many attempts there may be in all, the first one included' }),
        delay: Duration.optional().meta({ description: 'Wait before the next attempt. Default: none' }),
        backoff: z
          .number()
          .min(1)
          .max(10)
          .optional()
          .meta({ description: 'Each wait is this many times the one before. Default: 1' }),
      }),
    ],
    {
      error: `must be how often to try again (0 to ${limits.attemptsMax - 1}), or a map with attempts, delay, backoff`,
    },
  )
  .meta({ description: 'What to do after a failure: a number of further attempts, or a map' });

const Task = z
  .strictObject({
    name: Name.optional().meta({ description: 'How the console calls it. Default: its id' }),
    needs: z
      .union([z.string(), z.array(z.string()).max(limits.tasksMax)], {
        error: 'must be a task id, or a list of task ids',
      })
      .optional()
      .meta({ description: 'Tasks that have to end before this one begins' }),
    run: Run,
    env: Environment.optional(),
    secrets: Secrets.optional(),
    working_directory: z
      .string()
      .max(limits.pathBytesMax)
      .optional()
      .meta({ description: 'A folder of the sandbox. Default: its top' }),
    timeout: Duration.optional().meta({ description: 'An attempt that takes longer is ended and has failed' }),
    retry: Retry.optional(),
    if: z
      .union([z.string().max(limits.expressionCharsMax), z.boolean()], {
        error: 'must be a condition, or true or false',
      })
      .optional()
      .meta({
        description:
          "Run only if this holds, such as: params.full, tasks.load.state == 'failed', failure(), always(). Default: success()",
      }),
    continue_on_error: z.boolean().optional().meta({
      description: 'Its failure does not fail the run, and tasks that need it go on',
    }),
  })
  .meta({ description: 'A step of the run' });

const Tasks = z.record(TaskId, Task);

export const JobFile = z
  .strictObject({
    name: Name.optional().meta({ description: 'How the console calls runs of it. Default: the file name' }),
    description: Sentence.optional().meta({ description: 'What it is for' }),
    parameters: z
      .record(ParameterName, Parameter)
      .optional()
      .meta({ description: `What is asked for at launch. Tasks read \${{ params.NAME }} or the variable PARAM_NAME` }),
    env: Environment.optional(),
    secrets: Secrets.optional(),
    timeout: Duration.optional().meta({ description: 'For tasks that name none of their own. Default: none' }),
    tasks: Tasks.meta({ description: 'The steps, by id' }),
    finally: Tasks.optional().meta({
      description: 'Steps that run after all others, whatever happened, also after a cancel',
    }),
  })
  .meta({ title: 'Binnacle job file', description: 'A job: parameters, and tasks as a graph' });

/** A job file as it was written, its shape checked. */
export type JobFile = z.infer<typeof JobFile>;
export type TaskWritten = JobFile['tasks'][string];
export type ParameterWritten = NonNullable<JobFile['parameters']>[string];

/** JSON Schema (2020-12) of job files, for editors. */
export const jobFileJsonSchema = (): Record<string, unknown> => z.toJSONSchema(JobFile, { io: 'input' });
