package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/xrash/smetrics"
)

// prefix is what the names of all variables begin with.
const prefix = "BULKHEAD_"

// ofClients are variables that the commands of the CLI read, and a process does not.
var ofClients = []string{"BULKHEAD_URL", "BULKHEAD_API_KEY", "BULKHEAD_ORG", "BULKHEAD_IDEMPOTENCY_KEY"}

// mostWrong is in how many characters a misspelt name differs from the right one at
// most. A name that is further from all is somebody else's: Kubernetes, for one,
// sets variables that begin with a service's name.
const mostWrong = 2

// Misspelt is a variable that nothing reads, and the one that may be meant.
type Misspelt struct{ Name, Meant string }

func misspelt(variables map[string]string) (out []Misspelt) {
	known := variableNames()
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, name) || slices.Contains(ofClients, name) {
			continue
		}
		for _, meant := range known {
			if smetrics.WagnerFischer(name, meant, 1, 1, 1) <= mostWrong {
				out = append(out, Misspelt{name, meant})
				break
			}
		}
	}
	return out
}

// variableNames lists the variables that are read.
func variableNames() (out []string) {
	fields, err := env.GetFieldParams(&Config{})
	if err != nil {
		panic(err) // the type's own tags are wrong
	}
	for _, f := range fields {
		out = append(out, f.Key)
	}
	return out
}

// malformed names the variables that can not be read. The library names the fields of
// a type, and repeats values, which may be secrets all the same: so it is asked again,
// for each variable by itself.
func malformed(variables map[string]string) error {
	var all []error
	for _, name := range variableNames() {
		value, set := variables[name]
		if !set {
			continue
		}
		_, err := env.ParseAsWithOptions[Config](env.Options{Environment: map[string]string{name: value}})
		if err != nil {
			all = append(all, fmt.Errorf("%s: %s", name, reason(err)))
		}
	}
	if all == nil {
		return errors.New("malformed environment")
	}
	return errors.Join(all...)
}

// reason says what is wrong with a value, without the value.
func reason(err error) string {
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok || len(all.Errors) == 0 {
		return "is malformed"
	}
	p, ok := errors.AsType[env.ParseError](all.Errors[0])
	if !ok {
		return "is malformed"
	}
	var own interface{ Reason() string }
	if errors.As(p.Err, &own) {
		return own.Reason()
	}
	return "is not a " + p.Type.String()
}
