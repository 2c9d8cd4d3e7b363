// Package machineimage finds the image that machines boot from.
package machineimage
