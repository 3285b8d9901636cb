{{/* The start of all names. */}}
{{- define "nicfleet.fullname" -}}
{{- $name := .Values.operator.nameOverride | default .Chart.Name -}}
{{- if .Values.operator.fullnameOverride -}}
{{- .Values.operator.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What a workload selects its pods by. Of: root, component. */}}
{{- define "nicfleet.selector" -}}
app.kubernetes.io/name: nicfleet-{{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end -}}

{{/* Labels of every object. Of: root, component. */}}
{{- define "nicfleet.labels" -}}
{{ include "nicfleet.selector" . }}
app.kubernetes.io/part-of: nicfleet
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels of the pods of a workload, whatever the version. Of: root, component. */}}
{{- define "nicfleet.podLabels" -}}
{{ include "nicfleet.selector" . }}
app.kubernetes.io/part-of: nicfleet
# A driver upgrade drains nodes; whoever directs it, or tells of it, is not to be drained by itself.
nvidia.com/ofed-driver-upgrade-drain.skip: "true"
{{- end -}}

{{/* More keys of a mapping, from the values. None of them is one that is there: refusals.yaml. */}}
{{- define "nicfleet.more" -}}
{{- with . }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* An image's full name, its registry replaced by imageRegistry. Of: root, repository, image, tag. */}}
{{- define "nicfleet.image" -}}
{{- $repository := .repository | trimSuffix "/" -}}
{{- with .root.Values.imageRegistry -}}
{{- $first := $repository | splitList "/" | first -}}
{{- $path := or (regexMatch "[.:]" $first) (eq $first "localhost") | ternary ($repository | trimPrefix $first | trimPrefix "/") $repository -}}
{{- $repository = list (trimSuffix "/" .) $path | compact | join "/" -}}
{{- end -}}
{{- $name := list $repository .image | compact | join "/" -}}
{{- printf "%s%s%s" $name (hasPrefix "sha256:" .tag | ternary "@" ":") .tag -}}
{{- end -}}

{{/* Values of upstream's operator image, as in values files of its chart: "true" or "". */}}
{{- define "nicfleet.upstreamImage" -}}
{{- if eq .Values.operator.image "network-operator" }}true{{ end -}}
{{- end -}}

{{/* Where our images are. NVIDIA's registry has none of them; another place may be the user's own mirror. */}}
{{- define "nicfleet.repository" -}}
{{- $nvidia := hasPrefix "nvcr.io/" .Values.operator.repository -}}
{{- and $nvidia (eq "true" (include "nicfleet.upstreamImage" .)) | ternary "localhost" .Values.operator.repository -}}
{{- end -}}

{{- define "nicfleet.coordinatorImage" -}}
{{- $upstream := eq "true" (include "nicfleet.upstreamImage" .) -}}
{{- $image := $upstream | ternary "nicfleet" .Values.operator.image -}}
{{- $tag := $upstream | ternary "" .Values.operator.tag | default .Chart.AppVersion -}}
{{- include "nicfleet.image" (dict "root" . "repository" (include "nicfleet.repository" .) "image" $image "tag" $tag) -}}
{{- end -}}

{{- define "nicfleet.agentImage" -}}
{{- $repository := .Values.agent.repository | default (include "nicfleet.repository" .) -}}
{{- $tag := .Values.agent.tag | default .Chart.AppVersion -}}
{{- include "nicfleet.image" (dict "root" . "repository" $repository "image" .Values.agent.image "tag" $tag) -}}
{{- end -}}

{{/* A quantity, such as 160Mi, as a number. */}}
{{- define "nicfleet.amount" -}}
{{- $units := dict "" 1 "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 -}}
{{- range $power, $unit := list "Ki" "Mi" "Gi" "Ti" "Pi" "Ei" -}}
{{- $_ := set $units $unit (printf "0x1p%d" (mul 10 (add1 $power)) | float64) -}}
{{- end -}}
{{- $unit := toString . | regexFind "[a-zA-Z]+$" -}}
{{- toString . | trimSuffix $unit | float64 | mulf (get $units $unit) -}}
{{- end -}}

{{/* imagePullSecrets of a pod. */}}
{{- define "nicfleet.pullSecrets" -}}
{{- with .Values.operator.imagePullSecrets | default .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Where the coordinator's pods, and those of hooks, may be. Of: root, affinity. */}}
{{- define "nicfleet.placement" -}}
{{- with .root.Values.operator.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .root.Values.operator.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.operator.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
The CNI directories that the agent looks for, as CNI_BIN_DIR and CNI_NETWORK_DIR. It is shown the directory above, which
tells whether there is one without making it; so only those in a directory of CNI's own, and nothing else of the node's.
*/}}
{{- define "nicfleet.cniDirectories" -}}
{{- $openShift := .Capabilities.APIVersions.Has "config.openshift.io/v1" -}}
{{- $bin := .Values.operator.cniBinDirectory | default (ternary "/var/lib/cni/bin" "/opt/cni/bin" $openShift) -}}
{{- $network := .Values.operator.cniNetworkDirectory | default "/etc/cni/net.d" -}}
{{- range $name, $path := dict "CNI_BIN_DIR" (clean $bin) "CNI_NETWORK_DIR" (clean $network) }}
{{- if regexMatch "^/.+/cni/[^/]+$" $path }}
{{ $name }}: {{ $path | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* No pod of the coordinator's image needs more than this. OpenShift chooses a user for each namespace itself, and
     refuses a pod that names another. */}}
{{- define "nicfleet.podSecurity" -}}
runAsNonRoot: true
{{- if not (.Capabilities.APIVersions.Has "security.openshift.io/v1") }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "nicfleet.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where agents and viewers find the coordinator. */}}
{{- define "nicfleet.coordinatorHost" -}}
{{ include "nicfleet.fullname" . }}-coordinator.{{ .Release.Namespace }}.svc
{{- end -}}

{{/* The Secret with the coordinator's certificate that somebody else renews; empty: the coordinator makes its own. */}}
{{- define "nicfleet.givenCertificate" -}}
{{- if .Values.tls.enabled -}}
{{- $ofCertManager := printf "%s-coordinator-cert" (include "nicfleet.fullname" .) -}}
{{- .Values.tls.certManager.enabled | ternary $ofCertManager .Values.tls.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* How the coordinator speaks to agents and viewers. */}}
{{- define "nicfleet.serverTransportEnv" -}}
{{- if .Values.tls.enabled -}}
- name: NICFLEET_SERVICE
  value: {{ include "nicfleet.fullname" . }}-coordinator
- name: NICFLEET_AGENT_SERVICE_ACCOUNT
  value: {{ include "nicfleet.fullname" . }}-agent
- name: NICFLEET_TLS_CONFIG_MAP
  value: {{ include "nicfleet.fullname" . }}-ca
{{- if include "nicfleet.givenCertificate" . }}
- name: NICFLEET_TLS_CERT_DIR
  value: /etc/nicfleet/tls
{{- else }}
- name: NICFLEET_TLS_SECRET
  value: {{ include "nicfleet.fullname" . }}-coordinator-tls
{{- end }}
{{- else -}}
- name: NICFLEET_INSECURE
  value: "true"
{{- end }}
{{- end -}}

{{/* How an agent speaks to the coordinator. */}}
{{- define "nicfleet.clientTransportEnv" -}}
{{- if .Values.tls.enabled -}}
- name: NICFLEET_CA_FILE
  value: /etc/nicfleet/ca/ca.crt
{{- else -}}
- name: NICFLEET_INSECURE
  value: "true"
{{- end }}
{{- end -}}

{{/* Whom to trust. The kubelet starts no pod before the coordinator has written it, and brings it anew when it changes. */}}
{{- define "nicfleet.authorityVolume" -}}
- name: authority
  configMap:
    name: {{ include "nicfleet.fullname" . }}-ca
    items:
      - {key: ca.crt, path: ca.crt}
{{- end -}}

{{- define "nicfleet.authorityMount" -}}
- {name: authority, mountPath: /etc/nicfleet/ca, readOnly: true}
{{- end -}}

{{/* Who a pod is, for the coordinator and nobody else. The kubelet renews it. */}}
{{- define "nicfleet.tokenVolume" -}}
- name: token
  projected:
    sources:
      - serviceAccountToken: {audience: nicfleet-coordinator, expirationSeconds: 3600, path: token}
{{- end -}}

{{- define "nicfleet.tokenMount" -}}
- {name: token, mountPath: /var/run/secrets/nicfleet, readOnly: true}
{{- end -}}
