//go:build unix && !linux

package process

import "syscall"

// attributes puts the child in a process group of its own, so that Ctrl-C in a terminal reaches only the supervisor.
// Other systems than Linux have no death signal and no ambient capabilities: a child left behind by a killed
// supervisor is met by the next start instead.
func attributes(c Command) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if c.Account != nil {
		attr.Credential = &syscall.Credential{Uid: c.Account.UID, Gid: c.Account.GID}
	}
	return attr
}
