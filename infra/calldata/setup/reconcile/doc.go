// Package reconcile compares a document with an engine, and makes the engine have what the document says.
package reconcile
