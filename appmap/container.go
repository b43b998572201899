package appmap

import (
	"path"
	"strings"
)

// imageOf tells the container image that a process runs in, from the
// variables that its starter sets. A user can forge them, so they stand
// beside the application and never name it.
func imageOf(env *environ) string {
	for _, name := range []string{"APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "APPTAINER_NAME", "SINGULARITY_NAME", "SHIFTER_IMAGE", "ENROOT_ROOTFS"} {
		if v := env.get(name); v != "" && len(v) < 1024 {
			return v
		}
	}
	return ""
}

// contained says whether a container's starter has left its mark without an
// image's name: Charliecloud (ch-run(1)), Podman, and what follows systemd's
// container interface.
func contained(env *environ) bool { return env.get("CH_RUNNING") != "" || env.get("container") != "" }

// imageVersion is the version in an image's name if the image is of the very
// application that the exe is: "bedtools:2.30.0--h468198e_3". A number
// without a dot is too little to go by.
func (c *catalog) imageVersion(image string, f *finding) string {
	file := path.Base(image)
	for _, suffix := range []string{".sif", ".img", ".simg", ".sqsh"} {
		file = strings.TrimSuffix(file, suffix)
	}
	name, tag, ok := strings.Cut(file, ":")
	version := upstream(tag)
	if !ok {
		name, version = splitNameVersion(file)
	}
	if name == "" || !strings.Contains(version, ".") {
		return ""
	}
	if e := c.exactPkg(name); e != nil && e == f.entry || fold(name) == fold(f.name) {
		return version
	}
	return ""
}
