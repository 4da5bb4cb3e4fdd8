package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// startFlags say how a workflow is started, beside what it is.
func startFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "signal", Usage: "signal to send to it, or to the one that runs under the id (`NAME`)"},
		&cli.StringSliceFlag{Name: "signal-input", Usage: "an argument of the signal, as JSON; repeat for more (`JSON`)"},
		&cli.StringFlag{Name: "reuse", Usage: "an id that has run: reject_duplicate, allow_duplicate or allow_duplicate_failed_only (`POLICY`)"},
		&cli.StringFlag{Name: "conflict", Usage: "an id that is running: fail, use_existing or terminate_existing (`POLICY`)"},
		&cli.DurationFlag{Name: "execution-timeout", Usage: "how long it may take in all; for ever if absent (`DURATION`)"},
		&cli.DurationFlag{Name: "run-timeout", Usage: "how long one run may take (`DURATION`)"},
		&cli.DurationFlag{Name: "task-timeout", Usage: "how long one workflow task may take (`DURATION`)"},
		&cli.DurationFlag{Name: "delay", Usage: "how long to wait before it begins (`DURATION`)"},
		&cli.IntFlag{Name: "attempts", Usage: "run it again when it fails, so often in all (`N`)"},
		&cli.DurationFlag{Name: "retry-interval", Usage: "how long to wait before it is run again, longer each time (`DURATION`)"},
		&cli.StringSliceFlag{Name: "no-retry", Usage: "a type of failure after which it is not; repeat for more (`TYPE`)"},
		&cli.StringSliceFlag{Name: "memo", Usage: "a note, as JSON; repeat for more (`NAME=JSON`)"},
		&cli.StringSliceFlag{Name: "attribute", Usage: "a registered search attribute; repeat for more (`NAME=TYPE:VALUE`)"},
	}
}

// startOptions reads them.
func startOptions(c *cli.Context, in *sdk.WorkflowStart) error {
	in.IDReusePolicy, in.IDConflictPolicy = sdk.WorkflowIDReusePolicy(c.String("reuse")), sdk.WorkflowIDConflictPolicy(c.String("conflict"))
	in.RetryPolicy.MaximumAttempts, in.RetryPolicy.NonRetryableErrorTypes = int32(c.Int("attempts")), c.StringSlice("no-retry") //nolint:gosec // the server bounds it
	in.Signal.Name = c.String("signal")
	var err error
	if in.Signal.Input, err = inputs(c, "signal-input"); err != nil {
		return err
	}
	for _, d := range []struct {
		flag string
		into *int64
	}{
		{"execution-timeout", &in.ExecutionTimeoutSeconds},
		{"run-timeout", &in.RunTimeoutSeconds},
		{"task-timeout", &in.TaskTimeoutSeconds},
		{"delay", &in.StartDelaySeconds},
		{"retry-interval", &in.RetryPolicy.InitialIntervalSeconds},
	} {
		if *d.into, err = wholeSeconds(c, d.flag); err != nil {
			return err
		}
	}
	if in.Memo, err = memoOf(c.StringSlice("memo")); err != nil {
		return err
	}
	in.SearchAttributes, err = attributesOf(c.StringSlice("attribute"))
	return err
}

// wholeSeconds reads a flag as the API has durations.
func wholeSeconds(c *cli.Context, flag string) (int64, error) {
	d := c.Duration(flag)
	if d != 0 && d < time.Second {
		return 0, usageError(fmt.Sprintf("--%s must be a second or more", flag))
	}
	return int64(d / time.Second), nil
}

func memoOf(notes []string) (sdk.WorkflowMemo, error) {
	var memo sdk.WorkflowMemo
	for _, note := range notes {
		name, value, ok := strings.Cut(note, "=")
		if !ok || name == "" || !json.Valid([]byte(value)) {
			e := usageError(fmt.Sprintf("--memo is NAME=JSON, not %s", quote(note)))
			e.hint = fmt.Sprintf("If it is a text: --memo %s", quote(name+"="+strconv.Quote(value)))
			return nil, e
		}
		if memo == nil {
			memo = sdk.WorkflowMemo{}
		}
		memo[name] = json.RawMessage(value)
	}
	return memo, nil
}

// textTypes are the types of search attributes whose values need no quotes here.
var textTypes = []sdk.WorkflowSearchAttributeType{
	sdk.WorkflowSearchAttributeTypeKeyword, sdk.WorkflowSearchAttributeTypeText, sdk.WorkflowSearchAttributeTypeDatetime,
}

func attributesOf(given []string) (sdk.WorkflowSearchAttributes, error) {
	var all sdk.WorkflowSearchAttributes
	for _, text := range given {
		name, typed, named := strings.Cut(text, "=")
		kind, value, ok := strings.Cut(typed, ":")
		a := sdk.WorkflowSearchAttribute{Type: sdk.WorkflowSearchAttributeType(kind), Value: json.RawMessage(value)}
		if slices.Contains(textTypes, a.Type) {
			a.Value, _ = json.Marshal(value) // a string always has JSON
		}
		if !named || !ok || name == "" || !json.Valid(a.Value) {
			e := usageError(fmt.Sprintf("--attribute is NAME=TYPE:VALUE, not %s", quote(text)))
			e.hint = "For example: --attribute Customer=keyword:c-42 --attribute Cents=int:995 --attribute 'Tags=keyword_list:[\"a\"]'"
			return nil, e
		}
		if all == nil {
			all = sdk.WorkflowSearchAttributes{}
		}
		all[name] = a
	}
	return all, nil
}

// sortedPairs are the pairs of a memo or of search attributes, in order.
func sortedPairs[V any](what string, of map[string]V, text func(V) string) []pair {
	out := make([]pair, 0, len(of))
	for name, v := range of {
		out = append(out, pair{what + " " + printable(name), text(v)})
	}
	slices.SortFunc(out, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	return out
}
