{{/*
What the schema cannot say: values that contradict each other. Every document depends on it through
"keyward.config", and the first one that is rendered fails.
*/}}
{{- define "keyward.checks" -}}
{{- with .Values.gate -}}
{{- if .enabled -}}
{{- if and .config .existingConfigMap -}}
{{- fail "gate.config and gate.existingConfigMap exclude each other" -}}
{{- end -}}
{{- if not (or .existingConfigMap .config.upstreams) -}}
{{- fail "gate.config.upstreams is needed: where the memory backend is, such as { default: { url: http://memory:8000 } }" -}}
{{- end -}}
{{- if not (or .existingConfigMap (hasKey .config "routes")) -}}
{{- fail "gate.config.routes is needed: what may be called; what is not listed is refused" -}}
{{- end -}}
{{- $source := include "keyward.keySource" $ -}}
{{- if not (or $source .existingConfigMap) -}}
{{- fail "no keys: set gate.keys.existingSecret, gate.keys.registry.url or registry.enabled" -}}
{{- end -}}
{{- if and .keys.existingSecret .keys.registry.url -}}
{{- fail "gate.keys.existingSecret and gate.keys.registry.url exclude each other" -}}
{{- end -}}
{{- if and (eq $source "own") (not (get (include "keyward.gateToken" $ | fromJson) "name")) -}}
{{- fail "the gate has no token for the registry: set registry.tokens.existingSecret" -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.hosts) -}}
{{- fail "gate.ingress.hosts is needed: [{ host: memory.example.com }]" -}}
{{- end -}}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) -}}
{{- fail "gate.httpRoute.parentRefs is needed: the Gateway that it belongs to, [{ name: public }]" -}}
{{- end -}}
{{- if and .networkPolicy.backend.ports (not .networkPolicy.backend.podSelector) -}}
{{- fail "gate.networkPolicy.backend.ports needs gate.networkPolicy.backend.podSelector" -}}
{{- end -}}
{{- if and .autoscaling.enabled (gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) -}}
{{- fail "gate.autoscaling.minReplicas is larger than maxReplicas" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.registry -}}
{{- if .enabled -}}
{{- if and (eq .storage.kind "sqlite") (gt (int .replicas) 1) -}}
{{- fail "registry.replicas must be 1 with SQLite: several registries need storage.kind: postgres" -}}
{{- end -}}
{{- if and (eq .storage.kind "postgres") (not .storage.postgres.existingSecret) -}}
{{- fail "registry.storage.postgres.existingSecret is needed: a Secret with a postgres:// URL" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not (or .Values.gate.enabled .Values.registry.enabled) -}}
{{- fail "nothing to install: gate.enabled and registry.enabled are both false" -}}
{{- end -}}
{{- end }}
