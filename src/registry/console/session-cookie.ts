/** The console's cookie, read and written (RFC 6265bis). Knows nothing of sessions. */

export interface CookieOptions {
  /** Without `Secure`, for registries that browsers reach by plain HTTP. */
  readonly isInsecure: boolean;
}

/** Browsers take a `__Host-` cookie from this very host only, by TLS and for its whole site. */
const SECURE_NAME = "__Host-keyward";
const INSECURE_NAME = "keyward";
/** 256 bits in base64url. */
const VALUE = /^[A-Za-z0-9_-]{43}$/;

/**
 * The session's id; undefined when there is none, or more than one: which of them a browser meant
 * cannot be known, and somebody may have planted the other.
 */
export function readCookie(header: string | undefined, { isInsecure }: CookieOptions): string | undefined {
  const prefix = `${isInsecure ? INSECURE_NAME : SECURE_NAME}=`;
  const found = (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(prefix));
  const value = found[0]?.slice(prefix.length);
  return found.length === 1 && value !== undefined && VALUE.test(value) ? value : undefined;
}

/** `Set-Cookie` for a session; with an empty id one that takes it away. */
export function writeCookie(id: string, { isInsecure }: CookieOptions): string {
  const name = isInsecure ? INSECURE_NAME : SECURE_NAME;
  const age = id === "" ? "; Max-Age=0" : "";
  return `${name}=${id}; Path=/${age}; HttpOnly; SameSite=Strict${isInsecure ? "" : "; Secure"}`;
}
