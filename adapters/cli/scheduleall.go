package cli

import (
	"github.com/urfave/cli/v2"
)

// allFlags are those of what is done to all schedules.
func allFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "all", Usage: "all schedules of the organization"}, yesFlag(),
		&cli.BoolFlag{Name: "no-wait", Usage: "with --all: do not wait until it is done"}, timeoutFlag(),
	}
}

// scheduleMoveAll pauses all schedules or lets them go on, and follows how it comes along.
func (s *shell) scheduleMoveAll(c *cli.Context, pause bool) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	move, question, title := api.ResumeAllSchedules, "Resume all schedules of "+org+" that were paused with --all?", "Resuming the schedules of "+org
	if pause {
		move, question, title = api.PauseAllSchedules, "Pause all schedules of "+org+"?", "Pausing the schedules of "+org
	}
	if err := s.confirm(c, question); err != nil {
		return err
	}
	op, err := move(c.Context, org, c.String("note"))
	if err != nil {
		return err
	}
	if !c.Bool("no-wait") {
		if op, err = s.await(c, api, op.ID, title); err != nil {
			return err
		}
	}
	return s.printOperation(c, op)
}
