//! A policy version is rolled back and restored on the dashboard.

use super::Opened;

impl Opened {
    fn publish(&self, version: &str) {
        let policy = serde_json::json!({
            "version": version, "parent": null, "sha256": "0".repeat(64), "episodes": 1, "frames": 1, "status": "published",
        });
        ureq::post(format!("{}/api/v1/policies", self.site.address)).send_json(&policy).unwrap();
    }

    /// The version that vehicles drive by.
    fn in_use(&self) -> serde_json::Value {
        self.site.get("policies/latest").unwrap()["version"].clone()
    }
}

#[test]
fn a_version_is_rolled_back_with_a_reason_and_restored() {
    let mut opened = Opened::new();
    opened.publish("v1");
    opened.page.go(&format!("{}/", opened.site.address)).unwrap();
    opened.page.wait_until("document.querySelector('[data-key=v1]')").unwrap();
    // What is left alone has nothing to go back to.
    assert_eq!(opened.page.evaluate("document.querySelectorAll('[data-change]').length").unwrap(), 0);
    opened.publish("v2");
    let button = "document.querySelector('[data-change=withdraw][data-version=v2]')";
    opened.page.wait_until(button).unwrap();
    opened.page.evaluate("window.prompt = () => null").unwrap();
    opened.page.evaluate(&format!("{button}.click()")).unwrap();
    opened.page.evaluate("window.prompt = () => 'brakes late'").unwrap();
    assert_eq!(opened.in_use(), "v2", "a question that is not answered changes nothing");
    opened.page.evaluate(&format!("{button}.click()")).unwrap();
    let said = |words: &str| format!("document.getElementById('policies-said').innerText === {words:?}");
    opened.page.wait_until(&said("v2 is withdrawn; vehicles go back to v1.")).unwrap();
    assert_eq!(opened.in_use(), "v1");
    opened.page.wait_until("document.querySelector('[data-key=v2] [title$=\": brakes late\"] .withdrawn')").unwrap();
    opened.page.evaluate("document.querySelector('[data-change=restore][data-version=v2]').click()").unwrap();
    opened.page.wait_until(&said("v2 is restored.")).unwrap();
    assert_eq!(opened.in_use(), "v2");
    assert!(opened.page.console.is_empty(), "{:?}", opened.page.console);
}
