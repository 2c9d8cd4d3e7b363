package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Names of the properties, as in pulumi-command's SDK.
const (
	propCreate      resource.PropertyKey = "create"
	propUpdate      resource.PropertyKey = "update"
	propDelete      resource.PropertyKey = "delete"
	propTriggers    resource.PropertyKey = "triggers"
	propStdin       resource.PropertyKey = "stdin"
	propEnvironment resource.PropertyKey = "environment"
	propDir         resource.PropertyKey = "dir"
	propInterpreter resource.PropertyKey = "interpreter"
	propLogging     resource.PropertyKey = "logging"
	propAddPrevious resource.PropertyKey = "addPreviousOutputInEnv"
	propAssetPaths  resource.PropertyKey = "assetPaths"
	propArchives    resource.PropertyKey = "archivePaths"
	propStdout      resource.PropertyKey = "stdout"
	propStderr      resource.PropertyKey = "stderr"
)

// loggings are the values of the property logging.
var loggings = []string{"stdout", "stderr", "stdoutAndStderr", "none"}

// shapes say what each input must be. Triggers may hold anything.
var shapes = map[resource.PropertyKey]func(resource.PropertyValue) string{
	propCreate:      wantString,
	propUpdate:      wantString,
	propDelete:      wantString,
	propStdin:       wantString,
	propDir:         wantString,
	propLogging:     wantLogging,
	propAddPrevious: wantBool,
	propInterpreter: wantInterpreter,
	propEnvironment: wantStrings,
	propTriggers:    wantList,
	propAssetPaths:  refuse,
	propArchives:    refuse,
}

// withDefaults answers a copy of inputs with the documented defaults filled in.
func withDefaults(inputs resource.PropertyMap) resource.PropertyMap {
	filled := inputs.Copy()
	if v, ok := filled[propAddPrevious]; !ok || v.IsNull() {
		filled[propAddPrevious] = resource.NewBoolProperty(true)
	}
	return filled
}

// check answers everything that is wrong with inputs, sorted by property. Values not known yet are taken as right.
func check(inputs resource.PropertyMap) []*pulumirpc.CheckFailure {
	var failures []*pulumirpc.CheckFailure
	for _, key := range inputs.StableKeys() {
		if strings.HasPrefix(string(key), "__") {
			continue // the engine's own
		}
		reason := "is not a property of command:local:Command"
		if shape, ok := shapes[key]; ok {
			reason = shape(inputs[key])
		}
		if reason != "" {
			failures = append(failures, &pulumirpc.CheckFailure{Property: string(key), Reason: fmt.Sprintf("%s %s", key, reason)})
		}
	}
	return failures
}

func wantString(v resource.PropertyValue) string {
	if v = plain(v); !loose(v) && !v.IsString() {
		return "must be a string, not a " + v.TypeString()
	}
	return ""
}

func wantBool(v resource.PropertyValue) string {
	if v = plain(v); !loose(v) && !v.IsBool() {
		return "must be true or false, not a " + v.TypeString()
	}
	return ""
}

func wantList(v resource.PropertyValue) string {
	if v = plain(v); !loose(v) && !v.IsArray() {
		return "must be a list, not a " + v.TypeString()
	}
	return ""
}

func wantLogging(v resource.PropertyValue) string {
	if v = plain(v); !loose(v) && (!v.IsString() || !slices.Contains(loggings, v.StringValue())) {
		return "must be one of " + strings.Join(loggings, ", ")
	}
	return ""
}

func wantInterpreter(v resource.PropertyValue) string {
	v = plain(v)
	if loose(v) {
		return ""
	}
	if !v.IsArray() || len(v.ArrayValue()) == 0 {
		return `must list a program and its arguments, as ["/bin/bash", "-c"]`
	}
	for i, element := range v.ArrayValue() {
		if element = plain(element); !element.IsString() && !loose(element) {
			return fmt.Sprintf("element %d must be a string, not a %s", i, element.TypeString())
		}
	}
	return ""
}

func wantStrings(v resource.PropertyValue) string {
	v = plain(v)
	if loose(v) {
		return ""
	}
	if !v.IsObject() {
		return "must map names to strings, not be a " + v.TypeString()
	}
	for _, name := range v.ObjectValue().StableKeys() {
		if name == "" || strings.ContainsAny(string(name), "=\x00") {
			return fmt.Sprintf("has the name %q: a variable's name is not empty and holds no '='", name)
		}
		if value := plain(v.ObjectValue()[name]); !value.IsString() && !loose(value) {
			return fmt.Sprintf("%s must be a string, not a %s", name, value.TypeString())
		}
	}
	return ""
}

func refuse(v resource.PropertyValue) string {
	if v = plain(v); v.IsNull() || v.IsArray() && len(v.ArrayValue()) == 0 {
		return ""
	}
	return "is not offered by this command provider: read the files in the program, or install the official plugin"
}

// plain takes the secret and output wrappers off.
func plain(v resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsOutput() && v.OutputValue().Known:
			v = v.OutputValue().Element
		default:
			return v
		}
	}
}

// loose says that there is nothing to check: no value, or none yet.
func loose(v resource.PropertyValue) bool {
	return v.IsNull() || v.IsComputed() || v.IsOutput()
}

// text answers a string property, and whether it was set.
func text(props resource.PropertyMap, key resource.PropertyKey) (string, bool) {
	if v := plain(props[key]); v.IsString() {
		return v.StringValue(), true
	}
	return "", false
}
