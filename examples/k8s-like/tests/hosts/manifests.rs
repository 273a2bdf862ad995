//! What the clusters of these tests are asked for.

/// A namespace, a Deployment of a web server of these lines, and a Service.
pub(crate) fn web(replicas: u32, server: &str) -> String {
    format!(
        "apiVersion: v1
kind: Namespace
metadata: {{name: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
{server}
          readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec:
  type: NodePort
  selector: {{app: web}}
  ports: [{{name: http, port: 8080, targetPort: http}}]
"
    )
}

/// A server that is a process, at its pod's address.
pub(crate) fn hello(token: &str) -> String {
    format!(
        "        - name: web
          command: [k8s-like, hello-web, --drain, '1800', --text, {token}]
          env:
            - {{name: POD_NAME, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
            - {{name: POD_IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}
          ports: [{{name: http, containerPort: 8080}}]"
    )
}

/// The same at its host's address: so one on each.
pub(crate) fn hello_at_host(token: &str) -> String {
    hello(token).replace("containerPort: 8080", "containerPort: 8080, hostPort: 8080")
}
