/**
 * Chooses dark or light before the first paint, so that nothing flashes.
 * Classic script: it must run before the page is drawn. The console itself
 * (state/theme.svelte.ts) takes over once it is loaded.
 */
(() => {
  let wanted = 'system';
  try {
    wanted = localStorage.getItem('binnacle.theme') || 'system';
  } catch {
    // No storage is allowed here: the theme of the system is used.
    wanted = 'system';
  }
  const light = wanted === 'light' || (wanted === 'system' && matchMedia('(prefers-color-scheme: light)').matches);
  document.documentElement.dataset.theme = light ? 'light' : 'dark';
})();
