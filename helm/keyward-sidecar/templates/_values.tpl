{{/* All templates take the root of your chart; the values stand under the name of this one. */}}
{{- define "keyward-sidecar.values" -}}
{{- index .Values "keyward-sidecar" | toJson -}}
{{- end }}

{{/* Of the ConfigMap, NetworkPolicy and PodMonitor. */}}
{{- define "keyward-sidecar.name" -}}
{{- printf "%s-keyward" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "keyward-sidecar.image" -}}
{{- $image := (include "keyward-sidecar.values" . | fromJson).image -}}
{{- $repository := $image.repository -}}
{{- if $image.registry -}}
{{- $repository = printf "%s/%s" $image.registry $image.repository -}}
{{- end -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $image.tag | default (index .Subcharts "keyward-sidecar").Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "keyward-sidecar.checks" -}}
{{- $values := include "keyward-sidecar.values" . | fromJson -}}
{{- if not (hasKey $values.config "routes") -}}
{{- fail "keyward-sidecar.config.routes is needed: what may be called; what is not listed is refused" -}}
{{- end -}}
{{- if and $values.keys.existingSecret $values.keys.registry.url -}}
{{- fail "keyward-sidecar.keys.existingSecret and keyward-sidecar.keys.registry.url exclude each other" -}}
{{- end -}}
{{- if not (or $values.keys.existingSecret $values.keys.registry.url) -}}
{{- fail "no keys: set keyward-sidecar.keys.existingSecret or keyward-sidecar.keys.registry.url" -}}
{{- end -}}
{{- if eq (int $values.ports.http) (int $values.upstreamPort) -}}
{{- fail "keyward-sidecar.ports.http is upstreamPort as well: gate and application share one network" -}}
{{- end -}}
{{- end }}

{{- define "keyward-sidecar.config" -}}
{{- $values := include "keyward-sidecar.values" . | fromJson -}}
{{- $keys := dict "file" (printf "/etc/keyward-keys/%s" $values.keys.file) -}}
{{- if $values.keys.registry.url -}}
{{- $registry := dict
    "url" $values.keys.registry.url
    "snapshot_file" "/var/lib/keyward/snapshot.ndjson"
    "usage" (dict "spool_file" "/var/lib/keyward/usage.spool") -}}
{{- if $values.keys.registry.tokenSecret.name -}}
{{- $_ := set $registry "token_file" "/etc/keyward-registry/token" -}}
{{- end -}}
{{- $keys = dict "registry" (mergeOverwrite (dict) $values.keys.registry.options $registry) -}}
{{- end -}}
{{- $upstream := dict "upstreams" (dict "default" (dict "url" (printf "http://127.0.0.1:%v" $values.upstreamPort))) -}}
{{- $ops := dict "host" "0.0.0.0" "port" $values.ports.ops -}}
{{- with $values.probes -}}
{{- $_ := set $ops "probes" . -}}
{{- end -}}
{{- $fixed := dict
    "listen" (dict "host" "0.0.0.0" "port" $values.ports.http)
    "ops" $ops
    "keys" $keys
    "shutdown_delay" (printf "%vs" $values.drain.delaySeconds)
    "shutdown_grace" (printf "%vs" $values.drain.graceSeconds) -}}
{{- mergeOverwrite (dict) $upstream $values.config $fixed | toYaml -}}
{{- end }}
