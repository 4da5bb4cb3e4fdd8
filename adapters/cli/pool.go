package cli

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// everyPool is how the pool of all organizations is shown, which has no name.
const everyPool = "(all)"

func (s *shell) poolCommand() *cli.Command {
	replicas := &cli.IntFlag{Name: "replicas", Usage: "by how many members each organization is served (`NUMBER`)"}
	return &cli.Command{
		Name: "pool", Usage: "see who serves the organizations", Category: categoryTenants,
		Description: `A pool is the organizations that share workers. Its members are the processes that name
themselves when they ask for assignments.

Example:
  bulkhead pool list`,
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list the pools that have an organization or a member",
				Description: `Example:
  bulkhead pool list`,
				Action: s.poolList,
			},
			{
				Name: "members", Usage: "list the processes that share a pool", ArgsUsage: "[POOL]", Flags: []cli.Flag{replicas},
				Description: `Without a POOL it lists those of all pools. A member that has lapsed has not asked in time:
it keeps its share until another member asks.

Examples:
  bulkhead pool members gold
  bulkhead pool members gold --replicas 2`,
				Action: s.poolMembers,
			},
		},
	}
}

func (s *shell) poolList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	found, err := s.pools(c, "", 0)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(found)
	}
	var rows [][]string
	for _, p := range found.Items {
		rows = append(rows, []string{first(p.Pool, everyPool), strconv.FormatInt(p.Organizations, 10), strconv.Itoa(len(p.Members))})
	}
	return s.printTable([]string{"POOL", "ORGANIZATIONS", "MEMBERS"}, rows)
}

func (s *shell) poolMembers(c *cli.Context) error {
	if c.Args().Present() {
		if _, err := argument(c, "POOL"); err != nil {
			return err
		}
	}
	found, err := s.pools(c, c.Args().First(), c.Int("replicas"))
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(found)
	}
	var rows [][]string
	for _, p := range found.Items {
		for _, m := range p.Members {
			state := "active"
			if m.Lapsed {
				state = "lapsed"
			}
			rows = append(rows, []string{first(p.Pool, everyPool), m.Member, state, s.moment(m.LeaseEndsAt), strconv.FormatInt(m.Organizations, 10)})
		}
	}
	return s.printTable([]string{"POOL", "MEMBER", "STATE", "LEASE ENDS", "ORGANIZATIONS"}, rows)
}

func (s *shell) pools(c *cli.Context, pool string, replicas int) (*sdk.WorkerPoolList, error) {
	api, err := s.client(c)
	if err != nil {
		return nil, err
	}
	return api.WorkerPools(c.Context, pool, replicas)
}
