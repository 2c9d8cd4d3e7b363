// Package notices registers a topic that people are told by: encrypted, open to those who have something to tell, with the
// addresses that hear of it.
package notices
