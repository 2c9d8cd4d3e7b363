package machines

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// weight is a machine's part of the host's processors when there are not enough, beside other machines'. In AWS each has its own: one that
// boots and installs packages takes nothing from those that carry calls.
type weight int

const (
	booting weight = 25
	// usual is the kernel's default. Source: Linux, cgroup-v2.rst, "CPU Interface Files".
	usual weight = 100
)

// sharesPerWeight is how many cpu.shares of version 1 are a weight of version 2: 1024 and 100 are the defaults.
const sharesPerWeight = 10.24

// setWeight gives a machine its weight. Where a hierarchy of the host does not divide processors, all have the same.
func setWeight(id, machine string, w weight) error {
	dirs, err := cgroups(id, machine)
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		for file, value := range map[string]int{"cpu.weight": int(w), "cpu.shares": int(float64(w) * sharesPerWeight)} {
			// Made by the kernel or not at all.
			f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0) //nolint:gosec // below a cgroup mount
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				_, err = f.WriteString(strconv.Itoa(value))
				err = errors.Join(err, f.Close())
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
