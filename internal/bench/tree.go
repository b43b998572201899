package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// compilerExecs is what one run of gcc -c makes: gcc itself, cc1 and as.
const compilerExecs = 3

// staticSource is the shortest program that there is: it ends.
const staticSource = `void _start(void)
{
#if defined(__x86_64__)
	__asm__ volatile("syscall" :: "a"(60), "D"(0));
#elif defined(__aarch64__)
	register long number __asm__("x8") = 93, status __asm__("x0") = 0;
	__asm__ volatile("svc 0" :: "r"(number), "r"(status));
#else
#error "which system call ends a program here?"
#endif
	for (;;) ;
}
`

// makefile compiles without a shell in between: make starts a simple command
// itself.
const makefile = `all: $(patsubst %.c,%.o,$(wildcard run-*.c))
%.o: %.c
	gcc -O1 -c -o $@ $<
`

// unit is the name of one C file of the tree, without its ending.
func unit(tag string, i int) string { return fmt.Sprintf("run-%s-%07d", tag, i) }

// compiles is the command line that builds it.
func compiles(tag string, i int) string {
	return "gcc -O1 -c -o " + unit(tag, i) + ".o " + unit(tag, i) + ".c"
}

// cFile is enough for a compiler to work some hundredths of a second.
func cFile(i int) string {
	var b strings.Builder
	for f := range 6 {
		fmt.Fprintf(&b, "int f%d_%d(int *a, int n)\n{\n\tint s = %d;\n", i, f, f)
		b.WriteString("\tfor (int i = 0; i < n; i++)\n\t\tfor (int j = i; j < n; j++)\n\t\t\ts += a[i] * a[j] ^ (s >> (j & 7));\n\treturn s;\n}\n")
	}
	return b.String()
}

// writeTree makes the tree of n C files in dir, which its user owns.
func writeTree(dir, tag string, n, uid int) error {
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chown(dir, uid, uid)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(makefile), 0o644); err != nil {
		return err
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, unit(tag, i)+".c"), []byte(cFile(i)), 0o644); err != nil {
			return err
		}
	}
	return nil
}
