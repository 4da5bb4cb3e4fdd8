package postgres

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// holdArgument makes the test binary a supervisor that starts Postgres and waits to be killed.
const holdArgument = "hold-postgres"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == holdArgument {
		hold(os.Args[2])
	}
	os.Exit(m.Run())
}

func hold(dataDir string) {
	server, err := Start(context.Background(), Config{DataDir: dataDir, Fast: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d %s\n", server.PID(), server.AdminURL)
	<-server.Done()
	os.Exit(1)
}
