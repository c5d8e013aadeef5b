/** A container's files as a pod would mount them, in a temporary folder, so that Keyward itself can judge them. */
import { join } from "node:path";
import type { TempFolder } from "../support/temp-folder.ts";
import type { KubernetesObject, PodSpec, Texts, Volume } from "./kubernetes.ts";

/** Contents of Secrets and of ConfigMaps that others make, by name. */
export type Given = Readonly<Record<string, Texts>>;

/**
 * Writes what the container mounts from ConfigMaps and Secrets.
 * @param of the container's name
 * @returns path of a mounted file in the folder; in the files themselves, paths are rewritten likewise
 */
export async function mountFiles(
  pod: PodSpec,
  of: string,
  objects: readonly KubernetesObject[],
  given: Given,
  folder: TempFolder,
): Promise<(path: string) => string> {
  const container = [...(pod.initContainers ?? []), ...pod.containers].find(({ name }) => name === of);
  const mounts = container?.volumeMounts ?? [];
  const inFolder = (path: string): string => join(folder.path, path);
  // All at once: the folder itself may be below one of them.
  const mounted = new RegExp(`(?<=[ "'])(?:${mounts.map(({ mountPath }) => mountPath).join("|")})(?=/)`, "g");
  for (const mount of mounts) {
    const volume = pod.volumes?.find(({ name }) => name === mount.name);
    for (const [file, text] of Object.entries(contentOf(volume, objects, given))) {
      await folder.write(join(mount.mountPath, file), text.replaceAll(mounted, inFolder));
    }
  }
  return inFolder;
}

function contentOf(volume: Volume | undefined, objects: readonly KubernetesObject[], given: Given): Texts {
  const name = volume?.configMap?.name ?? volume?.secret?.secretName;
  if (name === undefined) return {};
  const made = objects.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === name);
  const data = made?.data ?? given[name];
  if (data === undefined) throw new Error(`nothing is given for ${name}`);
  const items = volume?.secret?.items;
  if (items === undefined) return data;
  // A key that the Secret lacks keeps a pod from starting.
  return Object.fromEntries(
    items.map(({ key, path }) => {
      const text = data[key];
      if (text === undefined) throw new Error(`${name} has no ${key}`);
      return [path, text];
    }),
  );
}
