package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	argo "github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	flagger "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

// document is one object of a manifest, as YAML, with what tells its type.
type document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	text []byte
}

func readDocuments(file string, replace map[string]string) ([]document, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	changed := string(text)
	for from, to := range replace {
		changed = strings.ReplaceAll(changed, from, to)
	}
	var found []document
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(changed)))
	for {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		var one document
		if err := strict.Unmarshal(part, &one); err != nil {
			return nil, err
		}
		if one.Kind == "" {
			continue
		}
		one.text = part
		found = append(found, one)
	}
}

// find decodes the object of this kind and name strictly into the controller's own type. An empty name takes the only one there is.
func find[T any](c command, kind string, into *T) error {
	documents, err := readDocuments(c.File, c.Replace)
	if err != nil {
		return err
	}
	for _, one := range documents {
		if one.Kind == kind && (c.Name == "" || one.Metadata.Name == c.Name) {
			return strict.UnmarshalStrict(one.text, into)
		}
	}
	return fmt.Errorf("%s holds no %s %s", c.File, kind, c.Name)
}

// typeOf is the controller's own type of a kind, or nil for kinds that are none of theirs.
func typeOf(kind string) any {
	switch kind {
	case "AnalysisTemplate":
		return &argo.AnalysisTemplate{}
	case "ClusterAnalysisTemplate":
		return &argo.ClusterAnalysisTemplate{}
	case "Rollout":
		return &argo.Rollout{}
	case "Experiment":
		return &argo.Experiment{}
	case "Canary":
		return &flagger.Canary{}
	case "MetricTemplate":
		return &flagger.MetricTemplate{}
	default:
		return nil
	}
}

// validate says what is wrong with the objects of a manifest: against the schemas of the CRDs, and decoded strictly into the controllers' types.
func validate(c command) ([]string, error) {
	schemas, err := readSchemas(c.CRDs)
	if err != nil {
		return nil, err
	}
	documents, err := readDocuments(c.File, c.Replace)
	if err != nil {
		return nil, err
	}
	faults := []string{}
	known := 0
	for _, one := range documents {
		into := typeOf(one.Kind)
		if into == nil {
			continue
		}
		known++
		name := one.Kind + " " + one.Metadata.Name
		if err := strict.UnmarshalStrict(one.text, into); err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", name, err))
		}
		schema, ok := schemas[one.APIVersion+" "+one.Kind]
		if !ok {
			return nil, fmt.Errorf("no CRD defines %s %s", one.APIVersion, one.Kind)
		}
		var object map[string]any
		if err := strict.Unmarshal(one.text, &object); err != nil {
			return nil, err
		}
		for _, fault := range validation.ValidateCustomResource(nil, object, schema.validator) {
			faults = append(faults, fmt.Sprintf("%s: %v", name, fault))
		}
		// What a cluster would silently drop; Go's decoder lets through what differs in case only.
		dropped := pruning.PruneWithOptions(object, schema.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
		for _, path := range dropped {
			faults = append(faults, fmt.Sprintf("%s: unknown field %s", name, path))
		}
	}
	if known == 0 {
		return nil, fmt.Errorf("%s holds no object of a controller", c.File)
	}
	return faults, nil
}

// schema is what a CRD says of one kind in one version.
type schema struct {
	validator  validation.SchemaValidator
	structural *structural.Structural
}

func readSchemas(files []string) (map[string]schema, error) {
	schemas := map[string]schema{}
	for _, file := range files {
		documents, err := readDocuments(file, nil)
		if err != nil {
			return nil, err
		}
		for _, one := range documents {
			var crd apiextensionsv1.CustomResourceDefinition
			if err := strict.Unmarshal(one.text, &crd); err != nil {
				return nil, err
			}
			for _, version := range crd.Spec.Versions {
				var internal apiextensions.CustomResourceValidation
				if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(version.Schema, &internal, nil); err != nil {
					return nil, err
				}
				validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
				if err != nil {
					return nil, err
				}
				shape, err := structural.NewStructural(internal.OpenAPIV3Schema)
				if err != nil {
					return nil, err
				}
				schemas[crd.Spec.Group+"/"+version.Name+" "+crd.Spec.Names.Kind] = schema{validator, shape}
			}
		}
	}
	return schemas, nil
}
