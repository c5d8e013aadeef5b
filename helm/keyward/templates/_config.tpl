{{/* The files that Keyward reads, with what the chart decides put over what the values say. */}}

{{- define "keyward.gateConfig" -}}
{{- $gate := .Values.gate -}}
{{- $source := include "keyward.keySource" . -}}
{{- $keys := dict -}}
{{- if eq $source "file" -}}
{{- $keys = dict "file" (printf "/etc/keyward-keys/%s" $gate.keys.file) -}}
{{- else -}}
{{- $own := printf "http://%s-registry:%v" (include "keyward.fullname" .) .Values.registry.service.port -}}
{{- $registry := dict
    "url" (ternary $own $gate.keys.registry.url (eq $source "own"))
    "snapshot_file" "/var/lib/keyward/snapshot.ndjson"
    "usage" (dict "spool_file" "/var/lib/keyward/usage.spool") -}}
{{- if get (include "keyward.gateToken" . | fromJson) "name" -}}
{{- $_ := set $registry "token_file" "/etc/keyward-registry/token" -}}
{{- end -}}
{{- $keys = dict "registry" (mergeOverwrite (dict) (deepCopy $gate.keys.registry.options) $registry) -}}
{{- end -}}
{{- $fixed := dict
    "listen" (dict "host" "0.0.0.0" "port" 8080)
    "ops" (dict "host" "0.0.0.0" "port" 9090)
    "keys" $keys
    "shutdown_delay" (printf "%vs" $gate.drain.delaySeconds)
    "shutdown_grace" (printf "%vs" $gate.drain.graceSeconds) -}}
{{- mergeOverwrite (dict) (deepCopy $gate.config) $fixed | toYaml -}}
{{- end }}

{{/* What the gate reads at its start only: a change of it needs a rollout. All of it, if so wished. */}}
{{- define "keyward.gateRestartSum" -}}
{{- $config := include "keyward.gateConfig" . | fromYaml -}}
{{- if .Values.gate.restartOnConfigChange -}}
{{- $config | toJson | sha256sum -}}
{{- else -}}
{{- pick $config "listen" "ops" "keys" "workers" "bounds" "timeouts" "metrics" "log" "cache" | toJson | sha256sum -}}
{{- end -}}
{{- end }}

{{- define "keyward.registryConfig" -}}
{{- $registry := .Values.registry -}}
{{- $fixed := dict
    "listen" (dict "host" "0.0.0.0" "port" 8090)
    "ops" (dict "host" "0.0.0.0" "port" 9091)
    "shutdown_grace" (printf "%vs" $registry.drain.graceSeconds) -}}
{{- if eq $registry.storage.kind "sqlite" -}}
{{- $_ := set $fixed "storage" "/var/lib/keyward/registry.db" -}}
{{- else -}}
{{- $_ := set $fixed "storage_file" "/etc/keyward-storage/url" -}}
{{- end -}}
{{- $tokens := dict -}}
{{- with $registry.tokens -}}
{{- if and .existingSecret .gateKey -}}
{{- $_ := set $tokens "gate_token_file" "/etc/keyward-tokens/gate" -}}
{{- end -}}
{{- if and .existingSecret .adminKey -}}
{{- $_ := set $tokens "admin_token_file" "/etc/keyward-tokens/admin" -}}
{{- end -}}
{{- end -}}
{{- if $tokens -}}
{{- $_ := set $fixed "tokens" $tokens -}}
{{- end -}}
{{- mergeOverwrite (dict) (deepCopy $registry.config) $fixed | toYaml -}}
{{- end }}
