package stacks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// minMemoryGiB is what the engine needs for about 50 users.
// Source: wazo-platform.org, uc-doc/installation/index.md.
const minMemoryGiB = 4

// minC4MemoryGiB is what Kamailio, rtpengine and the agents beside them need; half a GiB of it is Kamailio's shared memory.
const minC4MemoryGiB = 2

// InstanceType is an EC2 instance type.
type InstanceType struct {
	// Name is EC2's name, for example "t3.xlarge".
	Name string `json:"name"`
	// VCPU is the number of virtual processors.
	VCPU int `json:"vcpu"`
	// MemoryGiB is the memory in GiB.
	MemoryGiB float64 `json:"memoryGiB"`
}

// families are the amd64 families that this program knows, with their memory per virtual processor and sizes.
// Source: Amazon EC2 Instance Types Guide, general purpose, compute optimized and memory optimized instances.
var families = []struct {
	names      []string
	gibPerVCPU float64
	sizes      []string
}{
	{[]string{"m5", "m5a", "m6i", "m6a", "m7i", "m7a", "m7i-flex"}, 4, []string{"large", "xlarge", "2xlarge", "4xlarge"}},
	{[]string{"c5", "c5a", "c6i", "c6a", "c7i", "c7a", "c7i-flex"}, 2, []string{"large", "xlarge", "2xlarge", "4xlarge"}},
	{[]string{"r5", "r5a", "r6i", "r6a", "r7i", "r7a"}, 8, []string{"large", "xlarge", "2xlarge", "4xlarge"}},
}

// sizeVCPU is what a size means in these families.
var sizeVCPU = map[string]int{"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16}

// InstanceTypes lists the EC2 instance types that this program knows, all amd64.
func InstanceTypes() []InstanceType {
	var types []InstanceType
	for _, burst := range []string{"t3", "t3a"} { // the only families whose smaller sizes have less memory, not fewer processors
		types = append(types,
			InstanceType{burst + ".micro", 2, 1}, InstanceType{burst + ".small", 2, 2}, InstanceType{burst + ".medium", 2, 4},
			InstanceType{burst + ".large", 2, 8}, InstanceType{burst + ".xlarge", 4, 16}, InstanceType{burst + ".2xlarge", 8, 32})
	}
	for _, f := range families {
		for _, family := range f.names {
			for _, size := range f.sizes {
				types = append(types, InstanceType{family + "." + size, sizeVCPU[size], f.gibPerVCPU * float64(sizeVCPU[size])})
			}
		}
	}
	return types
}

// armForm matches the families on AWS's own arm64 processors: the attribute g follows the generation.
// Source: Amazon EC2 Instance Types Guide, "Naming conventions".
var armForm = regexp.MustCompile(`^(a1|[a-z]+[0-9]+[a-z]*g[a-z]*)\.`)

// FindInstanceType answers the type called name. It fails for types that are unknown, naming near ones, and for arm64.
func FindInstanceType(name string) (InstanceType, error) {
	types := InstanceTypes()
	for _, t := range types {
		if t.Name == name {
			return t, nil
		}
	}
	// Source: wazo-platform/asterisk, debian/asterisk.service, which preloads a library from the x86_64 path.
	if armForm.MatchString(name) {
		return InstanceType{}, fmt.Errorf("that is an arm64 type, and Wazo's packages run on amd64 alone; near ones are %s", near(types, name))
	}
	return InstanceType{}, fmt.Errorf("this program does not know that type; near ones are %s", near(types, name))
}

// near lists known types of the same family, or else of the same size and kind, or else of the same size.
func near(types []InstanceType, name string) string {
	family, size, _ := strings.Cut(name, ".")
	matches := []func(f, s string) bool{
		func(f, _ string) bool { return f == family },
		func(f, s string) bool { return s == size && family != "" && f[:1] == family[:1] },
		func(f, s string) bool { return s == size && (f == "t3" || strings.HasSuffix(f, "7i")) },
		func(f, s string) bool { return f == "t3" && sizeVCPU[s] > 0 },
	}
	for _, match := range matches {
		var names []string
		for _, t := range types {
			f, s, _ := strings.Cut(t.Name, ".")
			if match(f, s) && t.MemoryGiB >= minMemoryGiB {
				names = append(names, t.Name)
			}
		}
		if len(names) > 0 {
			return strings.Join(slices.Compact(names), ", ")
		}
	}
	return "t3.xlarge"
}
