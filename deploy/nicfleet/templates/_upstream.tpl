{{/* The policy that values of upstream's charts up to 24.7 meant, as the YAML of a spec. */}}
{{- define "nicfleet.meantPolicy" -}}
{{- $spec := dict -}}
{{- $global := dict "repository" "nvcr.io/nvidia/mellanox" "version" "network-operator-v26.4.0" -}}
{{- with .Values.imagePullSecrets }}{{ $_ := set $global "imagePullSecrets" . }}{{ end -}}
{{- $_ := set $spec "global" $global -}}
{{- range $key := list "nodeAffinity" "tolerations" -}}
{{- with index $.Values $key }}{{ $_ := set $spec $key . }}{{ end -}}
{{- end -}}
{{- range $name, $default := fromYaml (.Files.Get "files/upstream-components.yaml") -}}
{{- $given := index $.Values $name | default dict -}}
{{- $section := mergeOverwrite (deepCopy $default) (deepCopy $given) -}}
{{- if $section.deploy -}}
{{- if eq $name "secondaryNetwork" -}}
{{- $parts := dict -}}
{{- range $part := list "cniPlugins" "multus" "ipoib" "ipamPlugin" -}}
{{- $inner := index $section $part -}}
{{- if $inner.deploy }}{{ $_ := set $parts $part (include "nicfleet.meantComponent" $inner | fromYaml) }}{{ end -}}
{{- end -}}
{{- $_ := set $spec $name $parts -}}
{{- else -}}
{{- $component := include "nicfleet.meantComponent" $section | fromYaml -}}
{{- with $section.resources }}{{ $_ := set $component "config" (include (printf "nicfleet.config.%s" $name) .) }}{{ end -}}
{{- $_ := set $spec $name $component -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $spec -}}
{{- end -}}

{{/* One component's section, without what was the chart's alone and what says nothing. */}}
{{- define "nicfleet.meantComponent" -}}
{{- $component := include "nicfleet.withoutNothing" (omit . "deploy" "resources" "initContainer") | fromYaml -}}
{{- range $key := list "repoConfig" "certConfig" -}}
{{- $named := index $component $key -}}
{{- if and $named (not $named.name) }}{{ $_ := unset $component $key }}{{ end -}}
{{- end -}}
{{- toYaml $component -}}
{{- end -}}

{{/* A mapping without nulls, and without empty texts, lists and mappings. */}}
{{- define "nicfleet.withoutNothing" -}}
{{- $kept := dict -}}
{{- range $key, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $inner := include "nicfleet.withoutNothing" $value | fromYaml -}}
{{- if $inner }}{{ $_ := set $kept $key $inner }}{{ end -}}
{{- else if or (kindIs "bool" $value) (kindIs "float64" $value) (kindIs "int64" $value) $value -}}
{{- $_ := set $kept $key $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $kept -}}
{{- end -}}

{{- define "nicfleet.config.rdmaSharedDevicePlugin" -}}
{{- $resources := list -}}
{{- range . -}}
{{- $selectors := pick . "vendors" "deviceIDs" "drivers" "ifNames" "linkTypes" -}}
{{- $most := .rdmaHcaMax | default 63 | int -}}
{{- $resources = append $resources (dict "resourceName" .name "rdmaHcaMax" $most "selectors" $selectors) -}}
{{- end -}}
{{- dict "configList" $resources | toPrettyJson -}}
{{- end -}}

{{- define "nicfleet.config.sriovDevicePlugin" -}}
{{- $resources := list -}}
{{- range . -}}
{{- $selectors := pick . "vendors" "devices" "drivers" "pfNames" "pciAddresses" "rootDevices" "linkTypes" -}}
{{- $_ := set $selectors "isRdma" true -}}
{{- $resources = append $resources (dict "resourcePrefix" "nvidia.com" "resourceName" .name "selectors" $selectors) -}}
{{- end -}}
{{- dict "resourceList" $resources | toPrettyJson -}}
{{- end -}}

{{/* One line for each value of upstream's chart that is here and does something else or nothing, with what it did.
     Nothing is said of what is switched off: here it is off as well. */}}
{{- define "nicfleet.upstreamNotes" -}}
{{- $did := dict
  "node-feature-discovery" "settings of the NFD that upstream's chart brought. This chart brings none: see nfd.enabled."
  "sriovNetworkOperator" "installed the SR-IOV network operator. This chart does not: install it by its own chart."
  "sriov-network-operator" "settings of the SR-IOV network operator. This chart does not bring it."
  "maintenanceOperator" "installed the maintenance operator. This chart does not: install it by its own chart."
  "maintenance-operator-chart" "settings of the maintenance operator. This chart does not bring it."
  "nicConfigurationOperator" "installed the NIC configuration operator. Now it is a section of the policy."
  "nic-configuration-operator-chart" "settings of the NIC configuration operator. Now it is a section of the policy."
  "nvPeerDriver" "deployed the nv_peer_mem module. The GPU driver brings its own now."
  "psp" "made PodSecurityPolicies, which Kubernetes has no more."
  "proxy" "passed proxies to the driver pods. Now they are in ofedDriver.env of the policy; for the coordinator: operator.env."
  "test" "was read by nothing."
-}}
{{- range $key, $what := $did -}}
{{- with get $.Values $key -}}
{{- if not (has false (concat (pluck "enabled" .) (pluck "deploy" .))) }}
  {{ $key }}: {{ $what }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (hasKey .Values "keepNCP") (not .Values.keepNCP) }}
  keepNCP: false let the policy go with the release that owned it. Here a policy is always kept.
{{- end -}}
{{- with .Values.operator -}}
{{- if include "nicfleet.upstreamImage" $ }}
  operator.image: network-operator is upstream's program. nicfleet's image has its place and the chart's version.
{{- end -}}
{{- if (.coverage | default dict).enabled }}
  operator.coverage: measured the coverage of upstream's tests. It has no effect.
{{- end -}}
{{- if (.maintenanceOperator | default dict).useRequestor }}
  operator.maintenanceOperator: upgraded drivers by NodeMaintenance objects. It has no effect yet.
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether the values have sections of components: "true" or "". */}}
{{- define "nicfleet.hasComponents" -}}
{{- $found := .Values.deployCR | default false -}}
{{- range $name, $_ := fromYaml (.Files.Get "files/upstream-components.yaml") -}}
{{- if hasKey $.Values $name }}{{ $found = true }}{{ end -}}
{{- end -}}
{{- if $found }}true{{ end -}}
{{- end -}}
