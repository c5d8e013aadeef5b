{{/* What the pods of gate, registry and tests have in common. Takes root, and values of the component. */}}
{{- define "keyward.podCommon" -}}
serviceAccountName: {{ include "keyward.serviceAccountName" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Soft: a cluster of one node still gets all pods. Takes root, component and values. */}}
{{- define "keyward.spread" -}}
{{- if .values.topologySpreadConstraints -}}
topologySpreadConstraints: {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "keyward.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end -}}
{{- end }}

{{- define "keyward.containerCommon" -}}
image: {{ include "keyward.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {{- toYaml .root.Values.securityContext | nindent 2 }}
{{- end }}

{{- define "keyward.env" -}}
{{- with .extraEnv }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Restarting mends a process that hangs, not a registry or a backend that is away: so /livez, also at the start. */}}
{{- define "keyward.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: ops }
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /livez, port: ops }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /readyz, port: ops }
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}

{{/* Folders, never subPath: only whole folders follow a change of the ConfigMap or Secret. */}}
{{- define "keyward.gateMounts" -}}
- { name: config, mountPath: /etc/keyward, readOnly: true }
{{- if eq (include "keyward.keySource" .) "file" }}
- { name: keys, mountPath: /etc/keyward-keys, readOnly: true }
{{- else if get (include "keyward.gateToken" . | fromJson) "name" }}
- { name: registry-token, mountPath: /etc/keyward-registry, readOnly: true }
{{- end }}
{{- range $name, $_ := .Values.gate.secrets }}
- { name: secret-{{ $name }}, mountPath: /etc/keyward-secrets/{{ $name }}, readOnly: true }
{{- end }}
{{- with .Values.gate.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* 288 is 0440, as every reader of YAML understands it. */}}
{{- define "keyward.gateVolumes" -}}
- name: config
  configMap: { name: {{ include "keyward.configMapName" . }} }
{{- $token := include "keyward.gateToken" . | fromJson }}
{{- if eq (include "keyward.keySource" .) "file" }}
- name: keys
  secret: { secretName: {{ .Values.gate.keys.existingSecret }}, defaultMode: 288 }
{{- else if $token.name }}
- name: registry-token
  secret:
    secretName: {{ $token.name }}
    defaultMode: 288
    items: [{ key: {{ $token.key }}, path: token }]
{{- end }}
{{- range $name, $secret := .Values.gate.secrets }}
- name: secret-{{ $name }}
  secret: { secretName: {{ $secret.secretName }}, defaultMode: 288 }
{{- end }}
{{- with .Values.gate.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
