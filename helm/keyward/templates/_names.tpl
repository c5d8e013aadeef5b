{{/* Names end early enough for the longest suffix, -registry-ops. */}}
{{- define "keyward.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What a Deployment selects by can never change: only these. Takes root and component. */}}
{{- define "keyward.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/*
Labels of an object. Takes root, component, and more: labels of its own. None stands there twice: they win
over commonLabels, those over the chart's, and what is selected by over all, or nothing would be found.
*/}}
{{- define "keyward.labels" -}}
{{- $chart := dict
    "app.kubernetes.io/version" .root.Chart.AppVersion
    "app.kubernetes.io/managed-by" .root.Release.Service
    "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $selector := include "keyward.selector" . | fromYaml -}}
{{- mergeOverwrite $chart (deepCopy (default dict .root.Values.commonLabels)) (deepCopy (default dict .more)) $selector | toYaml -}}
{{- end }}

{{- define "keyward.image" -}}
{{- $repository := .Values.image.repository -}}
{{- if .Values.image.registry -}}
{{- $repository = printf "%s/%s" .Values.image.registry .Values.image.repository -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "keyward.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "keyward.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "keyward.configMapName" -}}
{{ .Values.gate.existingConfigMap | default (include "keyward.fullname" .) }}
{{- end }}

{{/* file, url (a registry elsewhere) or own (the registry of this release). */}}
{{- define "keyward.keySource" -}}
{{- if .Values.gate.keys.existingSecret -}}file
{{- else if .Values.gate.keys.registry.url -}}url
{{- else if .Values.registry.enabled -}}own
{{- end -}}
{{- end }}

{{/* Name and key of the gate's token, as JSON; a name only where there is a token. */}}
{{- define "keyward.gateToken" -}}
{{- $secret := .Values.gate.keys.registry.tokenSecret -}}
{{- $name := $secret.name -}}
{{- $key := $secret.key -}}
{{- if and (not $name) (eq (include "keyward.keySource" .) "own") -}}
{{- $name = .Values.registry.tokens.existingSecret -}}
{{- $key = .Values.registry.tokens.gateKey -}}
{{- end -}}
{{- dict "name" $name "key" $key | toJson -}}
{{- end }}

{{/* More than one gate at a time? */}}
{{- define "keyward.hasSeveralGates" -}}
{{- $least := .Values.gate.replicas -}}
{{- if .Values.gate.autoscaling.enabled -}}{{- $least = .Values.gate.autoscaling.minReplicas -}}{{- end -}}
{{- if gt (int $least) 1 -}}true{{- end -}}
{{- end }}
