/** Starts the console: styles in their order, then the one component. */
import './theme/fonts.css';
import './theme/tokens.css';
import './theme/base.css';
import { mount } from 'svelte';
import App from './views/App.svelte';

const place = document.getElementById('console');
if (!place) throw new Error('index.html has no #console');
mount(App, { target: place });
