// Package cli is the command line: what operators and users type. It is a client
// of the API, through the SDK, and starts the product's own processes through
// functions that it is given.
//
// A command is a urfave/cli command whose action is a method of shell. Around
// them, this package reads the arguments itself before urfave/cli does (flags may
// stand anywhere), writes its own help, and turns every error into one line, the
// next step and an exit code.
package cli
