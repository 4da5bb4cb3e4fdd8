package process

import "syscall"

// capDACReadSearch is CAP_DAC_READ_SEARCH of capability.h.
const capDACReadSearch = 2

// attributes puts the child in a process group of its own, so that Ctrl-C in a terminal reaches only the supervisor
// and the order of the shutdown stays the supervisor's.
func attributes(c Command) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: c.DeathSignal}
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = syscall.SIGKILL
	}
	if c.Account != nil {
		attr.Credential = &syscall.Credential{Uid: c.Account.UID, Gid: c.Account.GID}
		if c.Account.ReadAnyPath {
			attr.AmbientCaps = []uintptr{capDACReadSearch}
		}
	}
	return attr
}
