{{/*
An entry of spec.initContainers. restartPolicy Always makes it a sidecar: it starts before your
containers, runs beside them, and ends after them.
*/}}
{{- define "keyward-sidecar.container" -}}
{{- include "keyward-sidecar.checks" . -}}
{{- $values := include "keyward-sidecar.values" . | fromJson -}}
- name: keyward
  image: {{ include "keyward-sidecar.image" . | quote }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  restartPolicy: Always
  args: [serve, --config, /etc/keyward/keyward.yaml]
  ports:
    - { name: keyward, containerPort: {{ $values.ports.http }}, protocol: TCP }
    - { name: keyward-ops, containerPort: {{ $values.ports.ops }}, protocol: TCP }
  # Only that it runs: a registry that is away must not keep your application from starting. The pod is
  # ready when the gate is.
  startupProbe:
    httpGet: { path: /livez, port: keyward-ops }
    periodSeconds: 1
    failureThreshold: 60
  livenessProbe:
    httpGet: { path: /livez, port: keyward-ops }
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 3
  readinessProbe:
    httpGet: { path: /readyz, port: keyward-ops }
    periodSeconds: 5
    timeoutSeconds: 2
    failureThreshold: 2
  # Kubernetes signals a sidecar only when the application is gone: too late for clients on connections
  # that stay open. So the gate begins to drain when the pod is told to end. The hook lasts as long as
  # the gate does, since a second signal would cut what is under way.
  lifecycle:
    preStop:
      exec:
        command: [node, -e, "process.kill(1, 'SIGTERM'); setInterval(() => {}, 1000)"]
  {{- with $values.extraEnv }}
  env: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.extraEnvFrom }}
  envFrom: {{- toYaml . | nindent 4 }}
  {{- end }}
  resources: {{- toYaml $values.resources | nindent 4 }}
  securityContext: {{- toYaml $values.securityContext | nindent 4 }}
  # Folders, never subPath: only whole folders follow a change of the ConfigMap or Secret.
  volumeMounts:
    - { name: keyward-config, mountPath: /etc/keyward, readOnly: true }
    {{- if $values.keys.existingSecret }}
    - { name: keyward-keys, mountPath: /etc/keyward-keys, readOnly: true }
    {{- else if $values.keys.registry.tokenSecret.name }}
    - { name: keyward-registry, mountPath: /etc/keyward-registry, readOnly: true }
    {{- end }}
    {{- range $name, $_ := $values.secrets }}
    - { name: keyward-secret-{{ $name }}, mountPath: /etc/keyward-secrets/{{ $name }}, readOnly: true }
    {{- end }}
    - { name: keyward-state, mountPath: /var/lib/keyward }
    - { name: keyward-tmp, mountPath: /tmp }
{{- end }}

{{/* Entries of spec.volumes. 292 is 0444: without an fsGroup of the pod, the gate's user reads as others do. */}}
{{- define "keyward-sidecar.volumes" -}}
{{- $values := include "keyward-sidecar.values" . | fromJson -}}
- name: keyward-config
  configMap: { name: {{ include "keyward-sidecar.name" . }} }
{{- if $values.keys.existingSecret }}
- name: keyward-keys
  secret: { secretName: {{ $values.keys.existingSecret }}, defaultMode: 292 }
{{- else if $values.keys.registry.tokenSecret.name }}
- name: keyward-registry
  secret:
    secretName: {{ $values.keys.registry.tokenSecret.name }}
    defaultMode: 292
    items: [{ key: {{ $values.keys.registry.tokenSecret.key }}, path: token }]
{{- end }}
{{- range $name, $secret := $values.secrets }}
- name: keyward-secret-{{ $name }}
  secret: { secretName: {{ $secret.secretName }}, defaultMode: 292 }
{{- end }}
- name: keyward-state
  emptyDir: { sizeLimit: 1Gi }
- name: keyward-tmp
  emptyDir: { sizeLimit: 64Mi }
{{- end }}

{{/* Entries of the pod's annotations: a rollout for changes that a running gate cannot take up. */}}
{{- define "keyward-sidecar.podAnnotations" -}}
{{- $config := include "keyward-sidecar.config" . | fromYaml -}}
checksum/keyward-restart: {{ pick $config "listen" "ops" "keys" "workers" "bounds" "timeouts" "metrics" "log" "cache" | toJson | sha256sum }}
{{- end }}

{{/*
For your application's container: it stays until the gate takes no more requests, and then gets its own
signal. Stands under `lifecycle`.
*/}}
{{- define "keyward-sidecar.appPreStop" -}}
preStop:
  sleep: { seconds: {{ add (include "keyward-sidecar.values" . | fromJson).drain.delaySeconds 2 }} }
{{- end }}

{{/* The least for spec.terminationGracePeriodSeconds; more if your application needs longer to end. */}}
{{- define "keyward-sidecar.terminationGracePeriodSeconds" -}}
{{- $drain := (include "keyward-sidecar.values" . | fromJson).drain -}}
{{ add $drain.delaySeconds $drain.graceSeconds 10 }}
{{- end }}
