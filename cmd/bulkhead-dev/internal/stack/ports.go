package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/datadir"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
)

const portsName = "ports.json"

// Ports are the ports of a stack. As a wish, zero means "no wish".
type Ports struct {
	HTTP         int `json:"http"`
	WorkerHTTP   int `json:"worker_http"`
	Temporal     int `json:"temporal"`
	TemporalHTTP int `json:"temporal_http"`
	Postgres     int `json:"postgres"`
}

// UsualPorts are tried on the first run.
var UsualPorts = Ports{HTTP: 7400, WorkerHTTP: 7401, Temporal: 7233, TemporalHTTP: 7243, Postgres: 5433}

// choosePorts settles each port: one the user names must be free; otherwise the one of the last run is preferred, then
// the usual one, then any. Ports that had to move are named in notes.
func choosePorts(dir string, wished Ports, withPostgres bool) (Ports, []string, error) {
	remembered, err := rememberedPorts(dir)
	if err != nil {
		return Ports{}, nil, err
	}
	var chosen Ports
	slots := []struct {
		name                      string
		wished, remembered, usual int
		chosen                    *int
		skip                      bool
	}{
		{name: "http", wished: wished.HTTP, remembered: remembered.HTTP, usual: UsualPorts.HTTP, chosen: &chosen.HTTP},
		{name: "worker-http", wished: wished.WorkerHTTP, remembered: remembered.WorkerHTTP, usual: UsualPorts.WorkerHTTP, chosen: &chosen.WorkerHTTP},
		{name: "temporal", wished: wished.Temporal, remembered: remembered.Temporal, usual: UsualPorts.Temporal, chosen: &chosen.Temporal},
		{name: "temporal-http", wished: wished.TemporalHTTP, remembered: remembered.TemporalHTTP, usual: UsualPorts.TemporalHTTP, chosen: &chosen.TemporalHTTP},
		{name: "postgres", wished: wished.Postgres, remembered: remembered.Postgres, usual: UsualPorts.Postgres, chosen: &chosen.Postgres, skip: !withPostgres},
	}
	// Every choice is held until the last one is made, so that no two of them can be the same.
	var held []net.Listener
	defer func() {
		for _, listener := range held {
			_ = listener.Close()
		}
	}()
	hold := func(port int) (int, error) {
		listener, err := net.Listen("tcp", netport.Address(host, port))
		if err != nil {
			return 0, err
		}
		held = append(held, listener)
		return listener.Addr().(*net.TCPAddr).Port, nil
	}

	// Wishes first: another slot's preference must not take a port that somebody asked for.
	for _, slot := range slots {
		if slot.wished == 0 || slot.skip {
			continue
		}
		if *slot.chosen, err = hold(slot.wished); err != nil {
			return Ports{}, nil, fmt.Errorf("--%s-port %d is taken: stop what listens there, or leave the option out and a free port is chosen",
				slot.name, slot.wished)
		}
	}
	var notes []string
	for _, slot := range slots {
		if *slot.chosen != 0 || slot.skip {
			continue
		}
		preferred := slot.usual
		if slot.remembered != 0 {
			preferred = slot.remembered
			awaitPort(preferred)
		}
		if *slot.chosen, err = hold(preferred); err == nil {
			continue
		}
		if *slot.chosen, err = hold(0); err != nil {
			return Ports{}, nil, fmt.Errorf("find a free port: %w", err)
		}
		notes = append(notes, fmt.Sprintf("port %d (%s) is taken, using %d", preferred, slot.name, *slot.chosen))
	}
	return chosen, notes, rememberPorts(dir, chosen)
}

// awaitPort gives what is left of a killed run a moment to leave a port that it had: addresses people have noted down
// should not change for that.
func awaitPort(port int) {
	deadline := time.NewTimer(time.Second)
	defer deadline.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !netport.Available(host, port) {
		select {
		case <-deadline.C:
			return
		case <-ticker.C:
		}
	}
}

// rememberedPorts reads the last run's choice. A damaged file costs nothing but the preference.
func rememberedPorts(dir string) (Ports, error) {
	content, err := os.ReadFile(filepath.Join(dir, portsName))
	if errors.Is(err, fs.ErrNotExist) {
		return Ports{}, nil
	}
	if err != nil {
		return Ports{}, fmt.Errorf("read the ports of the last run: %w", err)
	}
	var ports Ports
	if json.Unmarshal(content, &ports) != nil {
		ports = Ports{}
	}
	return ports, nil
}

func rememberPorts(dir string, ports Ports) error {
	content, err := json.MarshalIndent(ports, "", "  ")
	if err != nil {
		return fmt.Errorf("encode ports: %w", err)
	}
	return datadir.WriteFile(filepath.Join(dir, portsName), append(content, '\n'))
}
