{{- define "keyward-sidecar.labels" -}}
app.kubernetes.io/name: keyward
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: sidecar
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The ConfigMap that the sidecar reads. Changes are picked up live. */}}
{{- define "keyward-sidecar.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "keyward-sidecar.name" . }}
  labels: {{- include "keyward-sidecar.labels" . | nindent 4 }}
data:
  keyward.yaml: |
    {{- include "keyward-sidecar.config" . | nindent 4 }}
{{- end }}

{{/*
Opens the gate's ports of your pods and nothing else, so that nobody goes around the gate even where
the application listens on all addresses. Takes root and podLabels (what selects your pods).
*/}}
{{- define "keyward-sidecar.networkPolicy" -}}
{{- $values := include "keyward-sidecar.values" .root | fromJson -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "keyward-sidecar.name" .root }}
  labels: {{- include "keyward-sidecar.labels" .root | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- toYaml .podLabels | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    # By number: before 1.33 the names of a sidecar's ports are not found (kubernetes#127958).
    - ports: [{ port: {{ $values.ports.http }}, protocol: TCP }]
      {{- with $values.networkPolicy.clients }}
      from: {{- toYaml . | nindent 8 }}
      {{- end }}
    - ports: [{ port: {{ $values.ports.ops }}, protocol: TCP }]
      from: {{- default (list (dict "podSelector" (dict))) $values.networkPolicy.monitoring | toYaml | nindent 8 }}
{{- end }}

{{/* Scrapes the sidecars. Takes root and podLabels. */}}
{{- define "keyward-sidecar.podMonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "keyward-sidecar.name" .root }}
  labels: {{- include "keyward-sidecar.labels" .root | nindent 4 }}
spec:
  selector:
    matchLabels: {{- toYaml .podLabels | nindent 6 }}
  podMetricsEndpoints:
    - port: keyward-ops
      path: /metrics
      interval: {{ (include "keyward-sidecar.values" .root | fromJson).interval }}
{{- end }}
