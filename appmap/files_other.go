//go:build !linux

package appmap

import "os"

const nonblock = 0

func openFiles(root string) (*files, error) {
	if root == "" {
		root = "/"
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	return &files{root: root, beneath: rootFiles{r}}, nil
}
