// Which links of the service a browser can follow.

const isOwn = (host) => /^(localhost|127(\.\d+){3}|\[::1\]|0\.0\.0\.0|\[::\])$/.test(host);

/**
 * Whether a page at a host can follow an address that the service knows: one of the service's own machine leads elsewhere from any other.
 * @param {string|null} address
 * @param {string} host
 */
export function canReach(address, host) {
  if (!address || !/^https?:/.test(address)) return false;
  return !isOwn(new URL(address).hostname) || isOwn(host);
}
