/**
 * Prometheus metrics of a node. Door of prom-client.
 *
 * Figures are handed in when somebody asks; nothing is counted on the hot
 * path but the loop's delay, which prom-client cannot know from outside.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, Registry } from 'prom-client';

/** Names without the prefix `binnacle_`; values as they are now. */
export type Figures = Record<string, { help: string; value: number }>;

export type Metrics = { text(figures: Figures): Promise<string> };

export function makeMetrics(node: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ node });
  const gauges = new Map<string, Gauge>();
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  return {
    async text(figures) {
      const own: Figures = {
        ...figures,
        loop_delay_seconds: {
          help: 'Delay of the event loop, p99 since the last look',
          value: delay.percentile(99) / 1e9,
        },
        resident_bytes: { help: 'Resident memory of the node process', value: process.memoryUsage.rss() },
      };
      delay.reset();
      for (const [name, { help, value }] of Object.entries(own)) {
        let gauge = gauges.get(name);
        if (!gauge) {
          gauge = new Gauge({ name: `binnacle_${name}`, help, registers: [registry] });
          gauges.set(name, gauge);
        }
        gauge.set(value);
      }
      return registry.metrics();
    },
  };
}
