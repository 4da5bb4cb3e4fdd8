package bench

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// CPU returns the processor time that a process has used so far, of all its
// threads.
func CPU(t *T, pid int) time.Duration {
	t.Helper()
	const perSecond = 100 // ticks; the kernel says so to every program, whatever it counts in
	text := readProc(t, pid, "stat")
	// What is before the last parenthesis is the program's name, which may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system = 11, 12
	var ticks int64
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / perSecond
}

// Memory returns the memory that a process holds and shares with nobody, in
// bytes: not the program itself, which its side of a comparison did not choose.
func Memory(t *T, pid int) int64 {
	t.Helper()
	for line := range strings.Lines(string(readProc(t, pid, "status"))) {
		if kib, is := strings.CutPrefix(line, "RssAnon:"); is {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kib), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("process %d does not say how much memory it has", pid)
	return 0
}

// Connected returns how many connections over IPv4 a process has to an address.
func Connected(t *T, pid int, address string) int {
	t.Helper()
	_, portText, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{}
	descriptors, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range descriptors {
		if to, err := os.Readlink(d); err == nil {
			own[to] = true
		}
	}
	const remote, state, inode, established = 2, 3, 9, "01"
	count := 0
	for line := range strings.Lines(string(readProc(t, pid, "net/tcp"))) {
		fields := strings.Fields(line)
		if len(fields) > inode && fields[state] == established && own["socket:["+fields[inode]+"]"] &&
			strings.HasSuffix(fields[remote], fmt.Sprintf(":%04X", port)) {
			count++
		}
	}
	return count
}

func readProc(t *T, pid int, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
