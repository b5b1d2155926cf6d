/**
 * The example sandbox that a first start puts there: small real jobs that show
 * parameters, a task graph, a retry and a mistake, so that a newcomer has
 * something to launch and to read before writing a first line.
 */
export const exampleSandbox = {
  name: 'examples',
  description: 'Small jobs to try: launch them, change them, break them.',
  files: [
    {
      path: 'hello.sh',
      executable: true,
      text: `#!/bin/sh
# Any script is already a job. Its parameters come as PARAM_<NAME>.
echo "Hello, \${PARAM_NAME:-world}."
echo "This is $BINNACLE_RUN on $(hostname)."
for i in 1 2 3 4 5; do
  echo "step $i of 5"
  sleep 0.4
done
`,
    },
    {
      path: 'survey.job.yaml',
      executable: false,
      text: `name: Survey
description: Measures three sites side by side, on whichever workers are free, then reports.
parameters:
  day: { type: date, default: today, description: The day to survey }
  samples: { type: integer, default: 5, minimum: 1, maximum: 50 }
  strict: { type: boolean, default: false, description: Fail when a sample is 9 or more }
tasks:
  prepare:
    run: echo "surveying \${{ params.day }} with \${{ params.samples }} samples a site"
  north:
    needs: prepare
    run: ./measure.sh north "\${{ params.samples }}"
  east:
    needs: prepare
    run: ./measure.sh east "\${{ params.samples }}"
  south:
    needs: prepare
    retry: { attempts: 3, delay: 2s }
    run: ./measure.sh south "\${{ params.samples }}"
  compare:
    needs: [north, east, south]
    timeout: 1m
    run: echo "three sites measured, exit codes \${{ tasks.north.exit_code }} \${{ tasks.east.exit_code }} \${{ tasks.south.exit_code }}"
finally:
  report:
    run: echo "survey of \${{ params.day }} is over"
`,
    },
    {
      path: 'measure.sh',
      executable: true,
      text: `#!/bin/sh
# measure.sh SITE SAMPLES: measures one site. Tasks may run on different workers, so nothing is handed on by files.
set -eu
site=$1
i=0
while [ "$i" -lt "$2" ]; do
  i=$((i + 1))
  value=$(awk -v seed="$i$$" 'BEGIN { srand(seed); printf "%.2f", rand() * 10 }')
  echo "$site: sample $i is $value"
  case "$PARAM_STRICT $value" in "true 9"*) exit 3 ;; esac
  sleep 0.3
done
`,
    },
    {
      path: 'broken.job.yaml',
      executable: false,
      text: `# This file has a mistake on purpose: open it to see how it is shown.
name: Broken
tasks:
  fetch:
    run: echo fetching
  load:
    needs: [fetsh]
    run: echo loading
`,
    },
  ],
} as const;
