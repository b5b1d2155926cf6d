/** The audit as a person uses it: finds who did what, looks at one deed, takes it away, and is not disturbed by news. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditRow } from '../../node-runtime/contract/model.ts';
import { type ConsolePages, serveConsole } from '../support/console-pages.ts';
import { acts, allActs } from './audit-fixtures.ts';
import { launchBrowser, type Override, openConsole, problem } from './console.ts';
import * as f from './fixtures.ts';

let browser: Browser;
let pages: ConsolePages;
beforeAll(async () => {
  pages = await serveConsole();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await pages?.close();
});
const { poll } = expect;

/** Answers as a node does: filtered, newest first, page by page. `news` stand before all others. */
const answering =
  (news: AuditRow[] = [], gaps: { from: number; to: number }[] = []): Override =>
  ({ path, query }) => {
    if (path !== '/api/v1/audit') return null;
    const [act, who, text, cursor] = ['act', 'who', 'text', 'cursor'].map((name) => query.get(name));
    const fits = [...news, ...allActs].filter(
      (row) =>
        (!act || row.area === act || row.act === act) &&
        (!who || row.by === who) &&
        (!text || row.sentence.includes(text)) &&
        (!cursor || row.index < Number(cursor)),
    );
    const rows = fits.slice(0, Number(query.get('limit')));
    return { json: { rows, gaps, ...(fits.length > rows.length ? { cursor: String(rows.at(-1)!.index) } : {}) } };
  };
const grid = (page: Page) => page.getByRole('grid', { name: 'Who did what, newest first' });
const newsAt = (index: number): AuditRow => ({ ...acts[1]!, index, sentence: `ops made person-${index} operator` });

describe('the audit', () => {
  it('is walked through by keyboard: rows, the details of one, and back', async () => {
    const { page, close, troubles } = await openConsole(browser, pages, { hash: '#/', answer: answering() });
    await page.getByText('Running and latest').waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('a');
    await page.getByRole('heading', { name: 'Audit', level: 1 }).waitFor();
    await grid(page).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    const details = page.getByRole('complementary', { name: 'Details' });
    await details.getByRole('heading', { name: 'ops made mara operator' }).waitFor();
    expect(await details.textContent()).toMatch(/role\s*before:\s*viewer\s*after:\s*operator/);
    expect(await details.textContent()).toContain('10.0.4.77');
    expect(page.url()).toContain('entry=81201');
    await page.keyboard.press('Escape');
    await poll(() => details.count()).toBe(0);
    expect(await grid(page).evaluate((element) => element === document.activeElement)).toBe(true);
    expect(troubles).toEqual([]);
    await close();
  });

  it('is filtered by area, person and words; the filter is in the address and in what is exported', async () => {
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/audit', answer: answering() });
    await grid(page).getByText('noor signed in').click();
    await page.getByRole('button', { name: 'Only what noor did' }).click();
    await page.getByRole('button', { name: 'Cluster', exact: true }).click();
    await grid(page).getByText('noor confirmed a loss').waitFor();
    await poll(() => grid(page).getByText('noor signed in').count()).toBe(0);
    expect(page.url()).toContain('who=user%3Anoor');
    const csv = page.getByRole('link', { name: 'Export what fits this filter as CSV' });
    await poll(() => csv.getAttribute('href')).toBe('/api/v1/audit/export?act=cluster&who=user%3Anoor&format=csv');
    await page.keyboard.press('/');
    await page.keyboard.type('nobody did this');
    await page.getByText('Nothing fits this filter').waitFor();
    await page.getByRole('button', { name: 'Show everything' }).click();
    await grid(page).getByText('ops made mara operator').waitFor();
    await page.getByLabel('Time').selectOption('Last 24 hours');
    await poll(() => asked.some((one) => Date.parse(one.query.get('since') ?? '') > Date.now() - 86_500_000)).toBe(
      true,
    );
    await close();
  });

  it('shows what is done now at once, and moves nothing under the eyes of somebody who reads further down', async () => {
    const news: AuditRow[] = [];
    const { page, close, troubles } = await openConsole(browser, pages, { hash: '#/audit', answer: answering(news) });
    await grid(page).getByText('ops made mara operator').waitFor();
    await page.getByText('Active atlas').waitFor();
    news.unshift(newsAt(81_300));
    pages.send({ kind: 'audited' });
    await grid(page).getByText('ops made person-81300 operator').waitFor();
    await grid(page).evaluate((element) => element.scrollTo(0, 2_000));
    const firstSeen = () =>
      grid(page).evaluate((element) => {
        const top = element.getBoundingClientRect().top + 40;
        const lines = [...element.querySelectorAll('[role=row]')].slice(1);
        return lines.find((line) => line.getBoundingClientRect().top >= top)?.textContent;
      });
    await poll(firstSeen).toContain('as r-');
    const before = await firstSeen();
    news.unshift(newsAt(81_302), newsAt(81_301));
    pages.send({ kind: 'audited' });
    await page.getByRole('button', { name: '2 new rows above' }).waitFor();
    expect(await firstSeen()).toBe(before);
    await page.getByRole('button', { name: '2 new rows above' }).click();
    await grid(page).getByText('ops made person-81302 operator').waitFor();
    expect(troubles).toEqual([]);
    await close();
  });

  it('reads on while somebody scrolls, and draws only what is seen', async () => {
    const { page, close } = await openConsole(browser, pages, { hash: '#/audit', answer: answering() });
    await grid(page).getByText('ops made mara operator').waitFor();
    await grid(page).focus();
    for (let page_ = 0; page_ < 3; page_++) {
      await page.keyboard.press('End');
      await poll(() => page.getByText(/and more shown/).textContent()).toMatch(
        new RegExp(`${(page_ + 2) * 200} and more`),
      );
    }
    expect(await grid(page).getByRole('row').count()).toBeLessThan(80);
    await close();
  });

  it('says which entries it has no rows of, and what to do when it cannot be read', async () => {
    let broken = false;
    const { page, close } = await openConsole(browser, pages, {
      hash: '#/audit',
      answer: (asked) =>
        broken && asked.path === '/api/v1/audit'
          ? problem(503, 'journal_damaged', 'A row does not match its checksum.', 'Look with binnacle doctor.')
          : answering([], [{ from: 1, to: 912 }])(asked),
    });
    await page.getByText('Entries 1 to 912').waitFor();
    broken = true;
    await page.getByRole('button', { name: 'People', exact: true }).click();
    await poll(() => page.getByText('Look with binnacle doctor.').count()).toBe(1);
    broken = false;
    await page.getByRole('button', { name: 'Try again' }).click();
    await grid(page).getByText('ops made mara operator').waitFor();
    await close();
  });

  it('is not asked for by somebody who is no administrator, who is told why', async () => {
    const { page, asked, close } = await openConsole(browser, pages, {
      hash: '#/audit',
      answer: ({ path }) => (path === '/api/v1/session' ? { json: f.viewer } : null),
    });
    await page.getByText('Only administrators see the audit').waitFor();
    expect(asked.filter((one) => one.path.startsWith('/api/v1/audit'))).toEqual([]);
    await close();
  });
});
