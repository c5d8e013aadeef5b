/**
 * Whom the console's scene shows: organizations with their keys, and what happened to each over the
 * last forty days. Facts only; `console-scene.ts` plays them through the real services.
 */

export interface KeyPart {
  readonly name: string;
  readonly organization: string;
  readonly project?: string;
  readonly environment: "live" | "test";
  readonly scopes: readonly string[];
  /** When it was made, in days before now. */
  readonly daysAgo: number;
  readonly expiresInDays?: number;
  /** It begins so many days from now. */
  readonly beginsInDays?: number;
  /** Requests in a busy hour; 0 for a key that was never used. */
  readonly perHour: number;
  /** Share of requests that are refused, by reason. */
  readonly denied?: Readonly<Record<string, number>>;
  /** It is still tried after its end, and refused for this. */
  readonly refusedAfter?: "key_revoked" | "key_expired";
  /** Share of requests that end with an error. */
  readonly errors?: number;
  readonly events?: readonly KeyEvent[];
}

export type KeyEvent =
  | { readonly kind: "revoke" | "finish" | "cancel"; readonly hoursAgo: number }
  | { readonly kind: "rotate"; readonly hoursAgo: number; readonly overlapHours: number }
  | { readonly kind: "rename"; readonly hoursAgo: number; readonly name: string }
  | { readonly kind: "scopes"; readonly hoursAgo: number; readonly scopes: readonly string[] };

export const organizations: Readonly<Record<string, string>> = {
  org_acme: "Acme Corp",
  org_globex: "Globex",
  org_initech: "Initech",
  org_northwind: "Northwind Traders",
  org_umbra: "Umbra Health",
};

export const projects: Readonly<Record<string, string>> = {
  proj_support: "Support assistant",
  proj_sales: "Sales copilot",
  proj_research: "Research notebook",
  proj_triage: "Ticket triage",
  proj_intake: "Patient intake",
};

const READ = ["read"];
const WRITE = ["read", "write"];
const ALL = ["admin"];

const acme: readonly KeyPart[] = [
  {
    name: "Production backend",
    organization: "org_acme",
    project: "proj_support",
    environment: "live",
    scopes: WRITE,
    daysAgo: 38,
    perHour: 2400,
    denied: { scope_missing: 0.004 },
    errors: 0.002,
    events: [{ kind: "rotate", hoursAgo: 5, overlapHours: 24 }],
  },
  {
    name: "Slack bot",
    organization: "org_acme",
    project: "proj_support",
    environment: "live",
    scopes: WRITE,
    daysAgo: 35,
    perHour: 420,
    errors: 0.004,
  },
  {
    name: "Sales copilot, web",
    organization: "org_acme",
    project: "proj_sales",
    environment: "live",
    scopes: [...WRITE, "delete"],
    daysAgo: 31,
    expiresInDays: 34,
    perHour: 860,
  },
  {
    name: "Sales copilot, mobile",
    organization: "org_acme",
    project: "proj_sales",
    environment: "live",
    scopes: READ,
    daysAgo: 30,
    perHour: 310,
    denied: { scope_missing: 0.09, route_denied: 0.02 },
  },
  {
    name: "Nightly export",
    organization: "org_acme",
    project: "proj_sales",
    environment: "live",
    scopes: READ,
    daysAgo: 29,
    perHour: 35,
    events: [{ kind: "rename", hoursAgo: 200, name: "Nightly export to warehouse" }],
  },
  {
    name: "Staging backend",
    organization: "org_acme",
    project: "proj_support",
    environment: "test",
    scopes: WRITE,
    daysAgo: 28,
    perHour: 140,
    denied: { environment_denied: 0.05 },
  },
  {
    name: "CI",
    organization: "org_acme",
    environment: "test",
    scopes: ALL,
    daysAgo: 27,
    perHour: 95,
    errors: 0.03,
  },
  {
    name: "Contractor laptop",
    organization: "org_acme",
    project: "proj_support",
    environment: "live",
    scopes: WRITE,
    daysAgo: 24,
    perHour: 22,
    refusedAfter: "key_revoked",
    events: [{ kind: "revoke", hoursAgo: 30 }],
  },
];

const globex: readonly KeyPart[] = [
  {
    name: "Research notebook",
    organization: "org_globex",
    project: "proj_research",
    environment: "live",
    scopes: WRITE,
    daysAgo: 36,
    perHour: 640,
  },
  {
    name: "Paper ingest",
    organization: "org_globex",
    project: "proj_research",
    environment: "live",
    scopes: ["write"],
    daysAgo: 33,
    perHour: 1250,
    errors: 0.012,
    events: [
      { kind: "rotate", hoursAgo: 320, overlapHours: 48 },
      { kind: "finish", hoursAgo: 300 },
    ],
  },
  {
    name: "Evaluation harness",
    organization: "org_globex",
    project: "proj_research",
    environment: "test",
    scopes: ALL,
    daysAgo: 26,
    perHour: 210,
  },
  {
    name: "Trial key",
    organization: "org_globex",
    environment: "live",
    scopes: READ,
    daysAgo: 39,
    expiresInDays: 30,
    perHour: 12,
    refusedAfter: "key_expired",
  },
  {
    name: "Dashboard",
    organization: "org_globex",
    environment: "live",
    scopes: READ,
    daysAgo: 20,
    expiresInDays: 22,
    perHour: 75,
  },
];

const initech: readonly KeyPart[] = [
  {
    name: "Ticket triage",
    organization: "org_initech",
    project: "proj_triage",
    environment: "live",
    scopes: WRITE,
    daysAgo: 34,
    perHour: 980,
    denied: { scope_missing: 0.01, route_denied: 0.005, network_denied: 0.002 },
  },
  {
    name: "Ticket triage, shadow",
    organization: "org_initech",
    project: "proj_triage",
    environment: "test",
    scopes: READ,
    daysAgo: 21,
    perHour: 60,
    events: [{ kind: "scopes", hoursAgo: 70, scopes: WRITE }],
  },
  {
    name: "Old importer",
    organization: "org_initech",
    environment: "live",
    scopes: ALL,
    daysAgo: 37,
    perHour: 40,
    events: [{ kind: "revoke", hoursAgo: 410 }],
  },
  {
    name: "Spare",
    organization: "org_initech",
    environment: "live",
    scopes: READ,
    daysAgo: 12,
    perHour: 0,
  },
  {
    name: "On-call laptop",
    organization: "org_initech",
    environment: "test",
    scopes: WRITE,
    daysAgo: 9,
    expiresInDays: 30,
    perHour: 8,
  },
];

const others: readonly KeyPart[] = [
  {
    name: "Order assistant",
    organization: "org_northwind",
    environment: "live",
    scopes: WRITE,
    daysAgo: 32,
    perHour: 520,
    errors: 0.006,
  },
  {
    name: "Order assistant, canary",
    organization: "org_northwind",
    environment: "live",
    scopes: WRITE,
    daysAgo: 6,
    perHour: 48,
    events: [
      { kind: "rotate", hoursAgo: 90, overlapHours: 24 },
      { kind: "cancel", hoursAgo: 80 },
    ],
  },
  {
    name: "Load test",
    organization: "org_northwind",
    environment: "test",
    scopes: ALL,
    daysAgo: 15,
    perHour: 3100,
    denied: { scope_missing: 0.001 },
    errors: 0.02,
  },
  {
    name: "Patient intake",
    organization: "org_umbra",
    project: "proj_intake",
    environment: "live",
    scopes: WRITE,
    daysAgo: 25,
    perHour: 380,
    denied: { network_denied: 0.03 },
  },
  {
    name: "Audit reader",
    organization: "org_umbra",
    project: "proj_intake",
    environment: "live",
    scopes: READ,
    daysAgo: 18,
    expiresInDays: 90,
    perHour: 4,
  },
  {
    name: "Go-live in December",
    organization: "org_umbra",
    project: "proj_intake",
    environment: "live",
    scopes: WRITE,
    daysAgo: 1,
    beginsInDays: 10,
    perHour: 0,
  },
  {
    name: "Umbra sandbox",
    organization: "org_umbra",
    environment: "test",
    scopes: ALL,
    daysAgo: 17,
    perHour: 130,
  },
];

const roles = ["Worker", "Importer", "Agent", "Reader", "Webhook", "Notebook", "Batch job", "Preview"];

/** The keys above, and then as many more as it takes, all of them different. */
export function castOf(count: number): readonly KeyPart[] {
  const named = [...acme, ...globex, ...initech, ...others];
  const owners = Object.keys(organizations);
  const more = Array.from({ length: Math.max(0, count - named.length) }, (_, i): KeyPart => {
    const environment = i % 4 === 3 ? "test" : "live";
    return {
      name: `${roles[i % roles.length] ?? "Key"} ${String(i + 1).padStart(2, "0")}`,
      organization: owners[(i * 7) % owners.length] ?? "org_acme",
      environment,
      scopes: i % 3 === 0 ? READ : WRITE,
      daysAgo: 19 - (i % 160) / 10,
      perHour: i % 11 === 5 ? 0 : 5 + ((i * 37) % 150),
      ...(i % 13 === 4 && { errors: 0.01 }),
      ...(i % 9 === 2 && { denied: { scope_missing: 0.02 } }),
    };
  });
  return [...named, ...more].slice(0, count);
}
