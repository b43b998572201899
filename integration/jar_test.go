package integration

import (
	"archive/zip"
	"encoding/binary"
	"os"
	"testing"
)

type member struct{ name, text string }

func makeZip(t *testing.T, path string, members ...member) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, m := range members {
		w, err := z.Create(m.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// makeJar makes a jar whose program prints the version in its own manifest.
func makeJar(t *testing.T, path, title, version string) {
	t.Helper()
	makeZip(t, path,
		member{"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nMain-Class: flow.Main\r\nImplementation-Title: " + title +
			"\r\nImplementation-Version: " + version + "\r\n\r\n"},
		member{"flow/Main.class", printVersion()},
	)
}

// printVersion is flow.Main compiled by hand, since a runtime has no compiler
// (Java Virtual Machine Specification, chapter 4):
//
//	System.out.println(Main.class.getPackage().getImplementationVersion());
func printVersion() string {
	var pool classPool
	ref := func(kind byte, class, name, descriptor string) uint16 {
		return pool.pair(kind, pool.class(class), pool.pair(12, pool.text(name), pool.text(descriptor)))
	}
	main, object := pool.class("flow/Main"), pool.class("java/lang/Object")
	out := ref(9, "java/lang/System", "out", "Ljava/io/PrintStream;")
	pkg := ref(10, "java/lang/Class", "getPackage", "()Ljava/lang/Package;")
	version := ref(10, "java/lang/Package", "getImplementationVersion", "()Ljava/lang/String;")
	println := ref(10, "java/io/PrintStream", "println", "(Ljava/lang/String;)V")
	name, descriptor, code := pool.text("main"), pool.text("([Ljava/lang/String;)V"), pool.text("Code")

	u16, u32 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32
	program := u16([]byte{0xb2}, out)                           // getstatic
	program = u16(append(program, 0x13), main)                  // ldc_w
	program = u16(append(program, 0xb6), pkg)                   // invokevirtual
	program = u16(append(program, 0xb6), version)               // invokevirtual
	program = append(u16(append(program, 0xb6), println), 0xb1) // invokevirtual, return

	b := u32(nil, 0xcafebabe)
	b = u16(u16(b, 0), 49) // Java 5: the last that needs no map of the stack
	b = append(u16(b, pool.n+1), pool.b...)
	b = u16(u16(u16(b, 0x21), main), object)                  // public super
	b = u16(u16(b, 0), 0)                                     // no interfaces, no fields
	b = u16(u16(u16(u16(u16(b, 1), 9), name), descriptor), 1) // one method, public static, one attribute
	b = u32(u16(b, code), uint32(12+len(program)))
	b = u32(u16(u16(b, 2), 1), uint32(len(program))) // two values on the stack, one local
	b = append(b, program...)
	b = u16(u16(b, 0), 0)    // no handlers, no attributes
	return string(u16(b, 0)) // no attributes of the class
}

// classPool gathers the constants of a class.
type classPool struct {
	b []byte
	n uint16
}

func (p *classPool) text(s string) uint16 {
	p.b = append(binary.BigEndian.AppendUint16(append(p.b, 1), uint16(len(s))), s...)
	p.n++
	return p.n
}

func (p *classPool) class(name string) uint16 {
	text := p.text(name)
	p.b = binary.BigEndian.AppendUint16(append(p.b, 7), text)
	p.n++
	return p.n
}

func (p *classPool) pair(kind byte, a, b uint16) uint16 {
	p.b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(append(p.b, kind), a), b)
	p.n++
	return p.n
}
