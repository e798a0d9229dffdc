// The code stands behind the #, which browsers do not send, so no log has it. It leaves the address
// bar, and so the history, as soon as the form has it.
const code = location.hash.slice(1);
if (code) {
  document.getElementById("code").value = code;
  history.replaceState(null, "", location.pathname);
  document.getElementById("name").focus();
}
