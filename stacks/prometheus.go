package stacks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// PrometheusConfig is a monitoring node besides CloudWatch.
type PrometheusConfig struct {
	// Enabled says whether there is one (prometheus).
	Enabled bool
	// InstanceType is its EC2 type (prometheusInstanceType).
	InstanceType InstanceType
	// DataGiB is the size of the volume for its data in GiB (prometheusDataGiB).
	DataGiB int
}

func readPrometheus(r *reader, kind Kind) PrometheusConfig {
	c := PrometheusConfig{
		Enabled: r.flag("prometheus", false), InstanceType: readInstanceType(r, "prometheusInstanceType", r.defaults.prometheusType, "t3.small", minC4MemoryGiB),
		DataGiB: r.sized("prometheusDataGiB", r.defaults.prometheusGiB, minRootVolumeGiB, maxVolumeGiB),
	}
	if c.Enabled && kind != KindStage && kind != KindProd {
		r.fail("prometheus", "true", fmt.Sprintf("a stack of the topology %s has no private network for a monitoring node", kind), r.set("prometheus", "false"))
	}
	return c
}

// PrometheusSpec is what Prometheus tells.
type PrometheusSpec struct {
	// Level is how much is told: that of the stack's alarms, or that of its topology where it has none.
	Level alarms.Level `json:"level"`
	// Hours are those in which business is done; nil is not known.
	Hours *alarms.Hours `json:"hours,omitempty"`
}

// prometheus gives a stack its monitoring node.
func prometheus(t *Topology, c Config) {
	if !c.Prometheus.Enabled {
		return
	}
	n := node(t.Stack, c, "prometheus-1", RolePrometheus, c.Prometheus.InstanceType, t.Network.Of(TierPrivate)[0].Name)
	n.DataVolumeGiB = c.Prometheus.DataGiB
	t.Nodes = append(t.Nodes, n)
	t.Prometheus = &PrometheusSpec{Level: pick(c.Watch.Level == "", byKind[c.Topology].alarms, c.Watch.Level), Hours: c.Watch.Hours}
}

// Prometheus is what the monitoring node is to know of a stack that no machine tells.
type Prometheus struct {
	// Level is how much is told.
	Level alarms.Level `json:"level" yaml:"level"`
	// BusinessHours are the first hour in UTC in which business is done, and that in which it no more is; empty is not known.
	BusinessHours []int `json:"businessHours,omitempty" yaml:"business_hours,omitempty,flow"`
	// Things are the fleets that are watched, and machines with something that thresholds are shares of.
	Things []PrometheusThing `json:"things" yaml:"things"`
}

// PrometheusThing is a thing of the package alarms.
type PrometheusThing struct {
	Name string         `json:"name" yaml:"name"`
	Kind alarms.Subject `json:"kind" yaml:"kind"`
	Role Role           `json:"role" yaml:"role"`
	// Capacity is what thresholds are shares of.
	Capacity map[alarms.Capacity]float64 `json:"capacity,omitempty" yaml:"capacity,omitempty,flow"`
}

// PrometheusOutput is what the stack tells its monitoring node; nil where it has none.
func (t Topology) PrometheusOutput() *Prometheus {
	if t.Prometheus == nil {
		return nil
	}
	p := &Prometheus{Level: t.Prometheus.Level, Things: []PrometheusThing{}}
	if h := t.Prometheus.Hours; h != nil {
		p.BusinessHours = []int{h.From, h.Until}
	}
	for _, thing := range t.Watched() {
		if thing.Kind == alarms.Fleet || thing.Kind == alarms.Machine && len(thing.Capacity) > 0 {
			p.Things = append(p.Things, PrometheusThing{Name: thing.Name, Kind: thing.Kind, Role: Role(thing.Role), Capacity: thing.Capacity})
		}
	}
	return p
}

// Validate reports every field that Prometheus could not work with.
func (p Prometheus) Validate() error {
	var errs []error
	bad := func(field string, value any, want any) {
		errs = append(errs, fmt.Errorf("stack output prometheus.%s is %v, want %v", field, value, want))
	}
	if !slices.Contains(alarms.Levels(), p.Level) {
		bad("level", p.Level, alarms.Levels())
	}
	if h := p.BusinessHours; len(h) > 0 && (len(h) != 2 || h[0] < 0 || h[0] >= h[1] || h[1] > 24) {
		bad("businessHours", h, "two hours of one day")
	}
	capacities := []alarms.Capacity{alarms.Least, alarms.Most, alarms.Calls, alarms.CopyEvery}
	for i, t := range p.Things {
		at := fmt.Sprintf("things[%d].", i)
		if !hostForm.MatchString(t.Name) {
			bad(at+"name", t.Name, "lower case letters, digits and hyphens")
		}
		if t.Kind != alarms.Machine && t.Kind != alarms.Fleet {
			bad(at+"kind", t.Kind, "machine or fleet")
		}
		if !t.Role.Valid() {
			bad(at+"role", t.Role, AllRoles())
		}
		for name := range t.Capacity {
			if !slices.Contains(capacities, name) {
				bad(at+"capacity", name, capacities)
			}
		}
	}
	return errors.Join(errs...)
}
