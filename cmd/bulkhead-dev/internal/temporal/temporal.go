// Package temporal says what the rest of this module needs of an embedded Temporal server. The server itself is in
// package embedded, apart, because it takes minutes to compile.
package temporal

import (
	"context"
	"io"
)

// Config describes the server. Authorization is always on.
type Config struct {
	DatabasePath string // an SQLite file, created when it does not exist
	Port         int    // gRPC frontend
	HTTPPort     int    // HTTP API of the frontend
	KeysURL      string // a JWKS, http(s) or file: the keys whose tokens are accepted
	Audience     string // the audience a token must name
	Log          io.Writer
}

// Host is the only interface the server listens on.
const Host = "127.0.0.1"

// Server is a running Temporal server.
type Server interface {
	// Stop ends the server; it takes a second or two.
	Stop() error
}

// Starter starts a server and returns when its frontend answers.
type Starter func(ctx context.Context, cfg Config) (Server, error)
