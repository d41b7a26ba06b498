// Starts the viewer of /docs: it asks this service only, as a client of its own, and with the key of this tab.
const key = sessionStorage.getItem("anabranch.key");

window.SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.getElementById("viewer"),
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
  tryItOutEnabled: true,
  syntaxHighlight: false,
  requestInterceptor: (request) => {
    request.headers["X-Anabranch"] = "1";
    if (key !== null && request.headers.Authorization === undefined)
      request.headers.Authorization = `Bearer ${key}`;
    return request;
  },
});
