/**
 * The one time that a key is shown. Nothing closes this by accident: not Escape, not a reload, not
 * an ended session. The secret is in this component's properties and in a read-only field, nowhere
 * else, and gone when it closes.
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Key, NewKey, Session } from "../api/shapes.ts";
import { CopyButton } from "../parts/copy.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { CheckField } from "../parts/field.tsx";
import { Notice } from "../parts/notice.tsx";
import { keyText } from "../parts/owner.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { ExactTime } from "../parts/time.tsx";
import { goTo } from "../state/route.ts";
import { endWork } from "../state/work.ts";

interface SecretProps {
  readonly made: NewKey;
  readonly replaces: Key | undefined;
  readonly session: Session;
}

export function SecretDialog({ made, replaces, session }: SecretProps): JSX.Element {
  return made.secret === null ? (
    <LostSecret made={made} />
  ) : (
    <ShownSecret made={made} secret={made.secret} replaces={replaces} session={session} />
  );
}

function ShownSecret({
  made,
  secret,
  replaces,
  session,
}: SecretProps & { readonly secret: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false);
  const [isStored, setStored] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const mayClose = isCopied || isStored;
  useEffect(() => field.current?.focus(), []);
  useEffect(() => {
    if (mayClose) return;
    const guard = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener("beforeunload", guard);
    return () => removeEventListener("beforeunload", guard);
  }, [mayClose]);
  const close = (): void => endWork({ hasChanged: true });
  return (
    <Dialog
      title={replaces === undefined ? "Copy your new key now" : "Copy the successor now"}
      onClose={() => (mayClose ? close() : setAsking(true))}
      isWide
    >
      <p>
        This is the only time <b>{keyText(made)}</b> is shown. Keyward stores only a hash of it, so nobody can
        look it up later.
      </p>
      <div class="secret">
        <label class="unseen" for="secret">
          The new key
        </label>
        <input
          ref={field}
          id="secret"
          class="input mono"
          readOnly
          value={secret}
          autoComplete="off"
          spellcheck={false}
          onFocus={(event) => event.currentTarget.select()}
          onCopy={() => setCopied(true)}
        />
        <CopyButton text={secret} what="Key" class="primary" onCopied={() => setCopied(true)} />
      </div>
      {replaces !== undefined && (
        <p>
          The key it replaces works until <ExactTime at={replaces.expires_at} />. Deploy this one before.
        </p>
      )}
      <Usages secret={secret} made={made} session={session} onCopied={() => setCopied(true)} />
      {isAsking && !mayClose && (
        <CloseGuard
          onBack={() => {
            setAsking(false);
            field.current?.focus();
          }}
          onClose={close}
        />
      )}
      <div class="dialog-foot dialog-foot-spread">
        <CheckField label="I have stored this key" isChecked={isStored} onChange={setStored} />
        <button type="button" class="button primary" disabled={!mayClose} onClick={close}>
          Done
        </button>
      </div>
    </Dialog>
  );
}

function CloseGuard({
  onBack,
  onClose,
}: {
  readonly onBack: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  const back = useRef<HTMLButtonElement>(null);
  useEffect(() => back.current?.focus(), []);
  return (
    <Notice tone="warn" isAlert>
      <p>
        <b>You haven't copied this key.</b> It cannot be shown again; you would have to rotate it.
      </p>
      <div class="notice-actions">
        <button ref={back} type="button" class="button" onClick={onBack}>
          Go back
        </button>
        <button type="button" class="button danger" onClick={onClose}>
          Close anyway
        </button>
      </div>
    </Notice>
  );
}

const GATE_UNKNOWN = "https://your-gate.example";

interface UsagesProps {
  readonly secret: string;
  readonly made: NewKey;
  readonly session: Session;
  readonly onCopied: () => void;
}

/** Ready to paste, with the secret in it. */
function Usages({ secret, made, session, onCopied }: UsagesProps): JSX.Element {
  const gate = (session.gate_url ?? GATE_UNKNOWN).replace(/\/$/, "");
  const name = kubernetesName(keyText(made));
  const texts = [
    ["Bearer", `curl -H "Authorization: Bearer ${secret}" \\\n  ${gate}/v1/me`],
    ["X-API-Key", `curl -H "X-API-Key: ${secret}" \\\n  ${gate}/v1/me`],
    [".env", `KEYWARD_API_KEY=${secret}`],
    ["Kubernetes", `kubectl create secret generic ${name} \\\n  --from-literal=api-key=${secret}`],
  ] as const;
  return (
    <Tabs
      label="Ready to paste"
      tabs={texts.map(([title, text]) => ({
        title,
        body: (
          <div class="code">
            <pre tabIndex={0} aria-label={`${title} example`}>
              {text}
            </pre>
            <CopyButton text={text} what={`${title} example`} isSmall onCopied={onCopied} />
          </div>
        ),
      }))}
    />
  );
}

function kubernetesName(name: string): string {
  const plain = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return (plain === "" ? "keyward-key" : plain).slice(0, 60);
}

/** The connection broke after the key was made and before its secret came. */
function LostSecret({ made }: { readonly made: NewKey }): JSX.Element {
  const close = (): void => endWork({ hasChanged: true });
  return (
    <Dialog title="The key was made, but its secret is lost" onClose={close}>
      <p>
        The connection broke before the answer arrived, and a secret is sent only once. <b>{keyText(made)}</b>{" "}
        exists and nobody has its secret. Revoke it, then create another; or rotate it with no overlap.
      </p>
      <div class="dialog-foot">
        <button
          type="button"
          class="button primary"
          onClick={() => {
            close();
            goTo(["keys", made.id]);
          }}
        >
          Go to the key
        </button>
      </div>
    </Dialog>
  );
}
