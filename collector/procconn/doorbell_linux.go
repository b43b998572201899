package procconn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// doorbell is what readers wake the pump with. Ringing it costs a system call
// only while the pump sleeps.
type doorbell struct {
	fd       int // eventfd
	file     *os.File
	memory   []byte         // of sleeping, outside Go's heap
	sleeping *atomic.Uint32 // the readers' C looks at it
}

func newDoorbell() (*doorbell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	d := &doorbell{fd: fd, file: os.NewFile(uintptr(fd), "doorbell")}
	if d.memory, err = unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS); err != nil {
		return nil, errors.Join(fmt.Errorf("memory: %w", err), d.file.Close())
	}
	d.sleeping = sharedAt(d.memory)
	return d, nil
}

// arm says that the pump is about to sleep.
func (d *doorbell) arm() { d.sleeping.Store(1) }

func (d *doorbell) disarm() { d.sleeping.Store(0) }

// wait sleeps until the bell rings, for that long at most.
func (d *doorbell) wait(ctx context.Context, most time.Duration) {
	_ = d.file.SetReadDeadline(time.Now().Add(most))
	if ctx.Err() == nil {
		var b [8]byte
		_, _ = d.file.Read(b[:]) // the deadline is the only error that can come
	}
	d.disarm()
}

// interrupt ends a wait.
func (d *doorbell) interrupt() { _ = d.file.SetReadDeadline(time.Now()) }

func (d *doorbell) close() error { return errors.Join(d.file.Close(), unix.Munmap(d.memory)) }
