'use strict';
// What a utility process may import from 'electron': almost nothing, and none of it is doubled.
const net = new Proxy(
  {},
  {
    get(_target, key) {
      throw new Error(`electron double: net.${String(key)} is not implemented in utility processes`);
    },
  },
);
module.exports = { net };
