package cli

import (
	"fmt"
	"iter"

	"github.com/urfave/cli/v2"
)

// limitFlag bounds a list. usual is how much of it there is without the flag; 0: all.
func limitFlag(what string, usual int) cli.Flag {
	absent := "all"
	if usual > 0 {
		absent = fmt.Sprint(usual)
	}
	return &cli.IntFlag{
		Name: "limit", Value: usual, Usage: fmt.Sprintf("the most %s; %s if absent (`N`)", what, absent),
		Action: func(_ *cli.Context, n int) error {
			if n < 1 {
				return usageError(fmt.Sprintf("--limit is a whole number above 0, not \"%d\"", n))
			}
			return nil
		},
	}
}

// collect takes out of a list what --limit says. It is never nil, which in JSON
// would not be a list.
func collect[T any](c *cli.Context, list iter.Seq2[T, error]) ([]T, error) {
	all, most := []T{}, c.Int("limit")
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		if all = append(all, item); len(all) == most {
			break
		}
	}
	return all, nil
}
